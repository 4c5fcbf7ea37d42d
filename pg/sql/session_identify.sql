-- session_identify: which session of which server answers. Sent by the simple protocol only, which
-- leaves nothing behind in a session that may be another client's. The number of a process is one
-- server's: behind a balancer, two servers may have the same.
-- parameters: none. locks: none. index: none.
select pg_catalog.pg_backend_pid() as process,
       pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) as server_start
