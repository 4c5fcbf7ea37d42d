-- session_left: what sessions of this database hold or are, though nobody is at work any more.
-- parameters: $1 applications that have sessions beside those of the pool, $2 how many each.
-- locks: none. index: none.
with others as (
    select s.pid, s.application_name, s.state, s.xact_start, s.wait_event, s.query,
        row_number() over (partition by s.application_name order by s.backend_start) as number
    from pg_catalog.pg_stat_activity s
    where s.datname = current_database() and s.pid <> pg_backend_pid()
        and s.backend_type = 'client backend'
)
select format('session %s (%s) is in a transaction, %s, waiting for %s: %s',
    o.pid, o.application_name, o.state, coalesce(o.wait_event, 'nothing'), left(o.query, 200))
from others o
where o.xact_start is not null
union all
select format('session %s (%s) has the lock %s %s', o.pid, o.application_name, l.locktype, l.mode)
from others o
join pg_catalog.pg_locks l on l.pid = o.pid
union all
select format('session %s (%s) was not closed, %s: %s',
    o.pid, o.application_name, o.state, left(o.query, 200))
from others o
where o.application_name like 'foldlog %' and o.number > coalesce(
    (select e.sessions from unnest($1::text[], $2::integer[]) e(application, sessions)
        where e.application = o.application_name), 0)
