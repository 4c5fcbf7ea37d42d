-- session_prepare: a session of foldlog's own runs at read committed, whatever the server's default:
-- the settled position can't be read at another level. A limit on statements that is meant for the
-- application's would stop a long read at the same place for ever. "Already exists" is no news.
-- A statement whose client is gone ends within a second, unless the server was told how often to
-- look: one that waits for a lock would go on waiting, and everybody else behind it. Only servers
-- on systems that report a closed connection can look.
-- No parameters, no locks.
select set_config('default_transaction_isolation', 'read committed', false),
    set_config('statement_timeout', '0', false),
    set_config('client_min_messages', 'warning', false),
    case when current_setting('client_connection_check_interval') = '0'
        and version() ~ 'linux|darwin|bsd'
    then set_config('client_connection_check_interval', '1s', false) end
