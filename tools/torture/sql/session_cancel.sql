-- session_cancel: cancels what these sessions of a database execute; how many.
-- parameters: $1 database, $2 application name that is spared, $3 processes.
-- locks: none. index: none.
select count(*) filter (where pg_catalog.pg_cancel_backend(a.pid))
from pg_catalog.pg_stat_activity a
where a.datname = $1 and a.backend_type = 'client backend' and a.application_name <> $2
    and a.state = 'active' and a.pid = any ($3)
