-- session_prepare: a session of foldlog's own runs at read committed, whatever the server's default:
-- the settled position can't be read at another level. A limit on statements that is meant for the
-- application's would stop a long read at the same place for ever. "Already exists" is no news.
-- No parameters, no locks.
select set_config('default_transaction_isolation', 'read committed', false),
    set_config('statement_timeout', '0', false),
    set_config('client_min_messages', 'warning', false)
