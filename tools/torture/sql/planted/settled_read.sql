-- settled_read: the settled position as foldlog.settled_1 computes it, without what it refuses.
select least(foldlog.log_last(0), (
    select min(((l.classid::bigint & 4095) << 32) | l.objid::bigint)
    from pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.mode = 'ShareLock'
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and l.classid::bigint >> 12 =
            foldlog.lock_key((select s.number from foldlog.store s), 0, 0) >> 44))
