-- residue_read: what is left of callers that are gone, in words: a transaction that nobody ends, an
-- advisory lock, a prepared transaction.
select format('process %s (%s) is in a transaction since %s: %s', a.pid, a.application_name,
    a.xact_start, a.state)
from pg_stat_activity a
where a.datname = current_database() and a.pid <> pg_backend_pid() and a.xact_start is not null
    and a.backend_type = 'client backend'
    and a.xact_start < clock_timestamp() - interval '2 seconds'
union all
select format('process %s holds advisory lock %s/%s', l.pid, l.classid, l.objid)
from pg_locks l join pg_database d on d.oid = l.database
where l.locktype = 'advisory' and d.datname = current_database() and l.pid is not null
    and not exists (
        select from pg_stat_activity a
        where a.pid = l.pid and a.xact_start > clock_timestamp() - interval '2 seconds')
union all
select format('prepared transaction %s', p.gid) from pg_prepared_xacts p
where p.database = current_database()
