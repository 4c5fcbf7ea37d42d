-- session_prepare: a session of foldlog's own runs at read committed, whatever the server's default:
-- the settled position can't be read at another level.
-- No parameters, no locks.
select set_config('default_transaction_isolation', 'read committed', false)
where current_setting('default_transaction_isolation') <> 'read committed'
