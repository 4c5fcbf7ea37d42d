-- The settled position: how far a log may be read without missing an append that is still open.
-- Writers publish a bound below their positions before they draw them; readers stay at or below the
-- lowest bound. The proof is in pg/src/settled.rs.

-- The last position drawn. A plain select from the sequence can see a value that nextval wrote ahead
-- into the write-ahead log and is up to 32 too high: only this function takes the page's lock.
create function foldlog.log_last(of_log integer) returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    the_sequence regclass;
    last_drawn bigint;
begin
    select l.position_sequence::regclass into strict the_sequence
    from foldlog.log l where l.number = of_log;
    last_drawn := pg_sequence_last_value(the_sequence);
    -- Newer majors answer null, not an error, to a role without the privilege.
    if last_drawn is null and not has_sequence_privilege(the_sequence, 'usage') then
        raise exception 'no privilege to read sequence %', the_sequence using errcode = '42501';
    end if;
    return coalesce(last_drawn, 0);
end $$;

-- Publishes a bound for this transaction and returns it: every position it draws from the log from
-- now on is above. The setting is only a hint that lets later appends of one transaction share the
-- first one's lock. The lock is taken whatever the hint says, and any bound not above the sequence
-- is sound, so a forged hint can delay readers but never hide an event.
create function foldlog.bound_1(of_log integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    the_sequence text;
begin
    select l.position_sequence into strict the_sequence from foldlog.log l where l.number = of_log;
    return foldlog.bound_publish(of_log, the_sequence::regclass);
end $$;

-- The same for functions that have a search path of ours and know the log's sequence.
create function foldlog.bound_publish(of_log integer, of_sequence regclass) returns bigint
language plpgsql volatile
as $$
declare
    setting constant text := 'foldlog.bound_' || of_log;
    hint constant text := current_setting(setting, true);
    xid constant text := pg_current_xact_id()::text;
    -- Null before the first position, and to a role without the privilege.
    bound bigint := coalesce(pg_sequence_last_value(of_sequence), foldlog.log_last(of_log));
begin
    if hint ~ '^[0-9]{1,20}:[0-9]{1,13}$' and split_part(hint, ':', 1) = xid then
        bound := least(bound, split_part(hint, ':', 2)::bigint);
    end if;
    perform pg_advisory_xact_lock_shared(foldlog.lock_key(foldlog.store_number(), of_log, bound));
    perform set_config(setting, xid || ':' || bound, true);
    return bound;
end $$;

-- Raised before any insert into a log whose transaction has published no bound.
create function foldlog.insert_guard() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if coalesce(split_part(current_setting('foldlog.bound_' || tg_argv[0], true), ':', 1), '')
        <> coalesce(pg_current_xact_id_if_assigned()::text, 'none')
    then
        raise exception 'insert into %.% without a published bound', tg_table_schema, tg_table_name
            using errcode = 'FL005',
                  hint = 'Only foldlog''s functions insert here; append through them.';
    end if;
    return null;
end $$;

-- Raised before any update, delete or truncate of what is kept for ever, also for the owner and under
-- session_replication_role: only an owner who says so in the session gets by.
create function foldlog.keep_guard() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('foldlog.unguarded', true) = 'on' and pg_has_role(
        current_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage')
    then
        return null;
    end if;
    raise exception '% of %.% is refused: what is stored there is never changed',
        lower(tg_op), tg_table_schema, tg_table_name
        using errcode = 'FL020',
              hint = 'Events that are not wanted any more are truncated, archived or tombstoned by '
                  'stream. The owner of the table can set foldlog.unguarded = on for his session.';
end $$;

-- The settled position of a log, for a reader whose cursor stands at after_position. Three separate
-- statements, each with a snapshot of its own: last, bounds, and then, in the caller's next
-- statement, the rows.
create function foldlog.settled_1(of_log integer, after_position bigint) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    prefix constant bigint :=
        foldlog.lock_key(foldlog.store_number(), of_log, 0) >> 44;
    last_drawn bigint;
    lowest bigint;
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise exception 'the settled position can''t be read at isolation level %',
            current_setting('transaction_isolation')
            using errcode = 'FL001',
                  hint = 'Read outside of a transaction, or at read committed.';
    end if;
    if pg_is_in_recovery() then
        raise exception 'the settled position can''t be read on a standby'
            using errcode = 'FL002', hint = 'Connect to the primary.';
    end if;
    last_drawn := foldlog.log_last(of_log);
    if last_drawn < after_position then
        raise exception 'position % lies beyond the end of log %, which is at %',
            after_position, of_log, last_drawn
            using errcode = 'FL003',
                  hint = 'The log was reset or restored from a backup after the position was given.';
    end if;
    select min(((l.classid::bigint & 4095) << 32) | l.objid::bigint) into lowest
    from pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.mode = 'ShareLock'
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and l.classid::bigint >> 12 = prefix;
    return least(last_drawn, lowest);
end $$;

-- Who holds the lowest bound, and so the settled position. For people: by the time they read it, it
-- may be over. The pid is null for a prepared transaction, which has a gid instead.
create function foldlog.settled_holder_1(of_log integer)
returns table (bound bigint, pid integer, gid text, age_s double precision, application text, waits text)
language sql volatile security definer
begin atomic
    select ((l.classid::bigint & 4095) << 32) | l.objid::bigint,
        l.pid,
        p.gid,
        extract(epoch from clock_timestamp() - coalesce(a.xact_start, p.prepared))::double precision,
        a.application_name,
        a.wait_event
    from pg_locks l
    left join pg_stat_activity a on a.pid = l.pid
    -- A prepared transaction is known by the lock on its own id, held under the same virtual one.
    left join pg_locks t on l.pid is null and t.pid is null and t.locktype = 'transactionid'
        and t.virtualtransaction = l.virtualtransaction
    left join pg_prepared_xacts p on p.transaction = t.transactionid
    where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.mode = 'ShareLock'
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and l.classid::bigint >> 12 = foldlog.lock_key(foldlog.store_number(), of_log, 0) >> 44
    order by 1, 2, 3
    limit 1;
end;
