-- session_terminate: ends clients' sessions in a database; how many.
-- parameters: $1 database, $2 application name that is spared, $3 processes, or null for all.
-- locks: none. index: none.
select count(*) filter (where pg_catalog.pg_terminate_backend(a.pid))
from pg_catalog.pg_stat_activity a
where a.datname = $1 and a.backend_type = 'client backend' and a.application_name <> $2
    and ($3::integer[] is null or a.pid = any ($3))
