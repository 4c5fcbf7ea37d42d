-- session_own_terminate: ends the sessions of faults, save this one; how many there were.
-- parameters: $1 their application name. locks: none. index: none.
select count(*) filter (where pg_catalog.pg_terminate_backend(a.pid))
from pg_catalog.pg_stat_activity a
where a.application_name = $1 and a.pid <> pg_catalog.pg_backend_pid()
