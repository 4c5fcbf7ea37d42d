-- session_prepare: a session of foldlog's own runs at read committed, whatever the server's default:
-- the settled position can't be read at another level. And "already exists, skipping" is no news.
-- No parameters, no locks.
select set_config('default_transaction_isolation', 'read committed', false),
    set_config('client_min_messages', 'warning', false)
