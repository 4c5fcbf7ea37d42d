-- Retention: whole closed segments are dropped, from the first on. It takes several transactions, each
-- of which can be the last for a while: retention_begin_1 announces, retention_streams_1 writes down of
-- the streams what would be lost, and then the statements of retention_next_1 are run one by one. Who
-- runs all of it again goes on where another was broken off.

-- Announces that the segments below a position will be dropped, as far as they are closed, and answers
-- from where on the log is kept then. Outcomes are
--
--   0 announced   or there is nothing to drop
--   1 behind      the projection of this name would lose what it has not taken in (unless past_readers)
--   2 kept        the stream of this name has events there that are not truncated, nor is it tombstoned
--                 (unless kept_too)
create function foldlog.retention_begin_1(
    before_position bigint, past_readers boolean, kept_too boolean
) returns table (outcome smallint, kept_from bigint, name text, at_position bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    old_end bigint;
    new_end bigint;
    found_name text;
    found_position bigint;
begin
    perform pg_advisory_xact_lock(foldlog.lock_key(foldlog.store_number(), 4092, 0));
    select l.kept_from into strict old_end from foldlog.log l where l.number = 0;
    select max(l.end_position) into new_end
    from foldlog.list_segments_1(0) l
    where l.state = 'closed' and l.end_position <= before_position;
    new_end := greatest(old_end, new_end);
    if new_end = old_end then
        return query select 0::smallint, old_end, null::text, null::bigint;
        return;
    end if;
    if not past_readers and to_regclass('foldlog.checkpoint') is not null then
        execute 'select c.projection, c.position from foldlog.checkpoint c'
            ' join foldlog.projection p on p.name = c.projection and p.version = c.version'
            ' where p.state in (''building'', ''live'') and c.position < $1'
            ' order by c.position, c.projection limit 1'
        into found_name, found_position using new_end - 1;
        if found_name is not null then
            return query select 1::smallint, old_end, found_name, found_position;
            return;
        end if;
    end if;
    if not kept_too then
        select s.name, e.position into found_name, found_position
        from foldlog.event e
        join foldlog.stream s on s.id = e.stream_id
        where e.position < new_end and s.state <> 2 and e.version >= s.first_version
        limit 1;
        if found_name is not null then
            return query select 2::smallint, old_end, found_name, found_position;
            return;
        end if;
    end if;
    update foldlog.log l set kept_from = new_end where l.number = 0;
    return query select 0::smallint, new_end, null::text, null::bigint;
end $$;

-- Writes down where streams end and where they begin from now on, of those that know a segment to be
-- dropped: the next so many by id. Answers the last id that it looked at, null at the end. Their rows
-- are locked in the order in which appends lock them.
create function foldlog.retention_streams_1(after_id bigint, streams_max integer, why text)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    kept constant bigint := (select l.kept_from from foldlog.log l where l.number = 0);
    last_drawn constant bigint := foldlog.log_last(0);
    last_id bigint;
    rows record;
    ends bigint[];
    line record;
begin
    select max(b.id) into last_id
    from (select s.id from foldlog.stream s where s.id > after_id order by s.id limit streams_max) b;
    select array_agg(l.id) as ids, array_agg(l.known_version) as versions,
        array_agg(l.known_position) as positions
    into rows
    from (
        select s.id, s.known_version, s.known_position
        from foldlog.stream s
        where s.id > after_id and s.id <= last_id
            and (s.known_position < kept or s.first_position < kept)
        order by s.tenant, s.name
        for no key update
    ) l;
    if rows.ids is null then
        return last_id;
    end if;
    select e.versions into ends
    from foldlog.stream_ends(
        rows.ids, rows.versions, rows.positions, foldlog.event_segment_width()) e;
    for line in
        update foldlog.stream s
        set known_version = e.version,
            known_position = greatest(s.known_position, last_drawn),
            first_version = greatest(s.first_version, e.dropped + 1),
            first_is_summary = s.first_is_summary and s.first_version > coalesce(e.dropped, 0),
            first_position = greatest(s.first_position, kept)
        from (
            select w.id, w.version, o.first_version as was, d.version as dropped, o.state
            from unnest(rows.ids, ends) w(id, version)
            join foldlog.stream o on o.id = w.id
            left join lateral (
                select v.version from foldlog.event v
                where v.stream_id = w.id and v.position < kept
                order by v.version desc
                limit 1
            ) d on true
        ) e
        where s.id = e.id
        returning s.id, s.first_version, e.was, e.state
    loop
        if line.first_version > line.was and line.state <> 2 then
            perform foldlog.mark_insert(line.id, 'drop', line.first_version, false, why);
        end if;
    end loop;
    return last_id;
end $$;

-- The next statement towards the end of the segments that are not kept, and whether a segment is gone
-- with it; no row when none is left. Each is one of its own, for none of them can run in a function, or
-- should in a long transaction. Companions go first.
create function foldlog.retention_next_1() returns table (statement text, ends boolean)
language sql volatile security definer
begin atomic
    select case
            when i.inhrelid is null then format('drop table %s', c.oid::regclass)
            when i.inhdetachpending then format(
                'alter table %s detach partition %s finalize', w.parent, c.oid::regclass)
            else format(
                'alter table %s detach partition %s concurrently', w.parent, c.oid::regclass)
        end,
        i.inhrelid is null and w.place = 1
    from foldlog.log l
    cross join unnest(l.segment_parent || l.segment_companions) with ordinality w(parent, place)
    join pg_class p on p.oid = to_regclass(w.parent)
    join pg_class c on c.relnamespace = p.relnamespace and c.relkind = 'r'
        and c.relname ~ ('^' || p.relname || '_[0-9]{6,}$')
    left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = p.oid
    where l.number = 0
        and (foldlog.segment_number(c.relname) + 1) * l.segment_width <= l.kept_from
    -- Whatever was begun first, and then from the first segment on.
    order by i.inhrelid is not null, not coalesce(i.inhdetachpending, true),
        foldlog.segment_number(c.relname), w.place desc
    limit 1;
end;

revoke all on all functions in schema foldlog from public;
