-- session_list: the processes of the clients' sessions in a database.
-- parameters: $1 database, $2 application name that is spared, $3 only those that execute something.
-- locks: none. index: none.
select a.pid
from pg_catalog.pg_stat_activity a
where a.datname = $1 and a.backend_type = 'client backend' and a.application_name <> $2
    and (not $3 or a.state = 'active')
order by a.pid
