-- append_session: a session for group append runs at read committed, each call in a transaction of its
-- own. A call waits for nobody, but a lock on a whole table it would wait for: so long at most. A
-- statement whose client is gone ends within a second, unless the server was told how often to look.
-- No parameters, no locks.
select set_config('default_transaction_isolation', 'read committed', false),
    set_config('statement_timeout', '0', false),
    set_config('lock_timeout', '10s', false),
    set_config('client_min_messages', 'warning', false),
    case when current_setting('client_connection_check_interval') = '0'
        and version() ~ 'linux|darwin|bsd'
    then set_config('client_connection_check_interval', '1s', false) end
