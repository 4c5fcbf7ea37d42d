-- Tags and the conditions on them: what two appends may not both do, though they share no stream.
--
-- A condition is exact at READ COMMITTED: who writes an event holds the locks of its tags, shared,
-- from before the event is there until after its commit is visible; who judges a condition holds one
-- tag of each item exclusively, and an event that matches the item carries this tag. So what the
-- judgement does not see is not there, and won't be until the judge has committed. An item without
-- a tag could match any event: its lock is one that every append holds shared.
--
-- Who waits for a lock stops everybody who comes after him, if he waits for it exclusively, and who never
-- waits never has his turn where others come and go without a pause. So a wait is a short one, after which
-- all the tags are let go, and then a pause of the same length, again and again for a while.

-- The lock key of a bucket of tags. Bucket 4096 is that of all events.
create function foldlog.tag_key(bucket bigint) returns bigint
language sql immutable
begin atomic
    select foldlog.lock_key(foldlog.store_number(), 4095, bucket);
end;

-- Refuses tags and items that don't fit the call, and requests that depend on one another.
create function foldlog.append_check_tags(
    request_tenant text[], stream_request integer[], event_stream integer[], event_tags text[],
    item_request integer[], item_types text[], item_tags text[], item_after bigint[], item_seen text[]
) returns void
language plpgsql volatile
set enable_hashjoin = on
as $$
declare
    requests constant integer := cardinality(request_tenant);
    items constant integer := coalesce(cardinality(item_request), 0);
    last_drawn constant bigint := case when items > 0 then foldlog.log_last(0) end;
    last_known bigint;
    problem text;
begin
    if event_tags is not null and cardinality(event_tags) <> coalesce(cardinality(event_stream), 0)
        or coalesce(cardinality(item_types), 0) <> items
        or coalesce(cardinality(item_tags), 0) <> items
        or coalesce(cardinality(item_after), 0) <> items
        or coalesce(cardinality(item_seen), 0) <> items
    then
        problem := 'the arrays of an append differ in length';
    elsif items > 0 and not coalesce(
        1 <= all (item_request) and requests >= all (item_request) and 0 <= all (item_after), false)
    then
        problem := 'a condition names a request that the append does not hold, or no position';
    -- An empty tag or type is nobody's: no event would ever stand against the condition.
    elsif items > 0 and exists (
        select from unnest(item_types || item_tags) t(texts)
        where e'\x1f' || t.texts || e'\x1f' like e'%\x1f\x1f%')
    then
        problem := 'a condition names an empty type or tag';
    elsif num_nonnulls(variadic item_seen) > 0 and exists (
        select from (select distinct unnest(item_seen) as positions) s, unnest(s.positions::bigint[]) p
        where p is null)
    then
        problem := 'a condition names no position where one was seen';
    elsif items > 0 and requests > 1 and exists (
        select from unnest(item_request, item_tags) i(request, tags)
        join unnest(event_stream) e(stream) on stream_request[e.stream] <> i.request
            and request_tenant[stream_request[e.stream]] = request_tenant[i.request]
        where i.tags is null)
    then
        problem := 'a request''s condition is on the events of another request of the append';
    elsif items > 0 and requests > 1 and event_tags is not null and exists (
        select from unnest(item_request, item_tags) i(request, tags)
        join (
            select stream_request[e.stream] as request, t.tag
            from unnest(event_stream, event_tags) e(stream, tags),
                string_to_table(e.tags, e'\x1f') t(tag)
        ) w on w.tag = split_part(i.tags, e'\x1f', 1)
        where w.request <> i.request and request_tenant[w.request] = request_tenant[i.request])
    then
        problem := 'a request''s condition is on the events of another request of the append';
    end if;
    if problem is not null then
        raise exception '%', problem using errcode = 'FL006';
    end if;
    if items > 0 then
        last_known := greatest(
            (select max(i.position) from unnest(item_after) i(position)),
            (select max(p) from (select distinct unnest(item_seen) as positions) s,
                unnest(s.positions::bigint[]) p));
    end if;
    if last_drawn < last_known then
        raise exception 'a condition is from position %, beyond the end of the log, which is at %',
            last_known, last_drawn
            using errcode = 'FL003',
                  hint = 'The log was reset or restored from a backup after the condition was read.';
    elsif items > 0
        and current_setting('transaction_isolation') not in ('read committed', 'read uncommitted')
    then
        raise exception 'a condition can''t be judged at isolation level %',
            current_setting('transaction_isolation')
            using errcode = 'FL001', hint = 'Append outside of a transaction, or at read committed.';
    end if;
end $$;

-- The lock that every append holds, where there is no tag and no condition. Answers that the requests
-- are busy if it can't be had; a call that waits for nobody does so at once.
create function foldlog.append_share(tries boolean, wait_ms integer, result smallint[])
returns smallint[]
language plpgsql volatile
as $$
begin
    if pg_try_advisory_xact_lock_shared(foldlog.tag_key(4096))
        or not tries and foldlog.keys_lock(array[foldlog.tag_key(4096)], '{false}', wait_ms)
    then
        return result;
    end if;
    return array(
        select case r.result when 0 then 4 else r.result end::smallint
        from unnest(result) with ordinality r(result, entry) order by r.entry);
end $$;

-- Takes the locks of tags, and judges conditions. Requests of which something is held are busy (4),
-- those of which a condition fails are refused (6), with the position that stands against them.
create function foldlog.append_guard(
    tries boolean, wait_ms integer, request_tenant text[], stream_request integer[],
    event_stream integer[], event_tags text[],
    item_request integer[], item_types text[], item_tags text[], item_after bigint[],
    item_seen text[], inout result smallint[], inout first_position bigint[]
)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    old_result constant smallint[] := result;
    old_first constant bigint[] := first_position;
    -- Whatever an append needs, it fits into the server's table of locks.
    keys_max constant integer := 256;
    live constant integer[] := array(
        select w.request from unnest(stream_request, old_result) w(request, result)
        where w.result = 0 group by w.request);
    needed_key bigint[];
    needed_exclusive boolean[];
    needed_request integer[];
    held bigint[];
    busy integer[] := '{}';
    oldest bigint;
begin
    if live = '{}' then
        return;
    end if;
    select array_agg(foldlog.tag_key(n.bucket)), array_agg(n.exclusive), array_agg(n.request)
    into needed_key, needed_exclusive, needed_request
    from (
        select foldlog.lock_bucket(request_tenant[stream_request[e.stream]], t.tag) as bucket,
            false as exclusive, stream_request[e.stream] as request
        from unnest(event_stream, event_tags) e(stream, tags),
            string_to_table(e.tags, e'\x1f') t(tag)
        where old_result[e.stream] = 0
        union all
        select case when i.tags is null then 4096
            else foldlog.lock_bucket(request_tenant[i.request], split_part(i.tags, e'\x1f', 1)) end,
            true, i.request
        from unnest(item_request, item_tags) i(request, tags)
        where i.request = any (live)
        union all
        select 4096, false, r.request from unnest(live) r(request)
    ) n;
    if (select count(distinct n.key) from unnest(needed_key) n(key)) > keys_max then
        needed_key := array_fill(foldlog.tag_key(4096), array[cardinality(needed_key)]);
        needed_exclusive := array_fill(true, array[cardinality(needed_key)]);
    end if;
    if tries or not foldlog.keys_lock(needed_key, needed_exclusive, wait_ms) then
        held := array(
            select k.key
            from foldlog.keys_in_order(needed_key, needed_exclusive) k
            where not case when k.exclusive then pg_try_advisory_xact_lock(k.key)
                else pg_try_advisory_xact_lock_shared(k.key) end);
    end if;
    if held <> '{}' then
        busy := array(
            select n.request from unnest(needed_key, needed_request) n(key, request)
            where n.key = any (held) group by n.request);
    end if;
    -- A statement of its own, so that it sees all that was committed before the locks were had.
    if coalesce(cardinality(item_request), 0) = 0 and busy = '{}' then
        return;
    end if;
    with failed as (
        select m.request, min(m.position) as position
        from foldlog.item_failures(
            request_tenant, item_request, item_types, item_tags, item_after, item_seen, live) m
        group by m.request
    )
    select
        array_agg(case
            when w.request = any (busy) then 4
            when f.request is not null then 6
            else w.result end::smallint order by w.entry),
        array_agg(case when w.request <> all (busy) and f.request is not null
            then f.position else w.first end order by w.entry)
    into result, first_position
    from unnest(stream_request, old_result, old_first)
        with ordinality w(request, result, first, entry)
    left join failed f on f.request = w.request;
    -- Asked last, for what is to be dropped is announced before.
    oldest := (select min(i.position) from unnest(item_request, item_after) i(request, position)
        where i.request = any (live) and i.request <> all (busy));
    if oldest < (select l.kept_from - 1 from foldlog.log l where l.number = 0) then
        raise exception 'events behind position %, where a condition was read, were dropped', oldest
            using errcode = 'FL021', hint = 'Read again what the decision rests on.';
    end if;
end $$;

-- Keys once each, in the order in which they are locked, in the strongest of the modes asked for.
create function foldlog.keys_in_order(keys bigint[], exclusives boolean[])
returns table (key bigint, exclusive boolean)
language sql immutable
begin atomic
    select n.key, bool_or(n.exclusive) from unnest(keys, exclusives) n(key, exclusive)
    group by n.key
    order by n.key;
end;

-- Locks keys one after the other, so that no two calls wait for one another, all of them or none: false
-- if the time is over, which is wait_ms, else lock_timeout, else ten seconds. What an attempt has locked
-- it lets go before it pauses, so that nobody waits for a key of which no use is made.
create function foldlog.keys_lock(keys bigint[], exclusives boolean[], wait_ms integer)
returns boolean
language plpgsql volatile
as $$
declare
    own constant text := current_setting('lock_timeout');
    deadline constant timestamptz := clock_timestamp() + case
        when wait_ms > 0 then wait_ms * interval '1 ms'
        when own::interval > interval '0' then own::interval
        else interval '10 s' end;
    turn_max constant integer := 320;
    turn integer := 10;
    left_ms integer;
    wanted record;
begin
    loop
        begin
            for wanted in select k.key, k.exclusive from foldlog.keys_in_order(keys, exclusives) k loop
                continue when case when wanted.exclusive then pg_try_advisory_xact_lock(wanted.key)
                    else pg_try_advisory_xact_lock_shared(wanted.key) end;
                left_ms := extract(epoch from deadline - clock_timestamp()) * 1000;
                perform set_config('lock_timeout', greatest(least(turn, left_ms), 1)::text, true);
                if wanted.exclusive then
                    perform pg_advisory_xact_lock(wanted.key);
                else
                    perform pg_advisory_xact_lock_shared(wanted.key);
                end if;
                perform set_config('lock_timeout', own, true);
            end loop;
            return true;
        exception when lock_not_available or deadlock_detected then
            -- The locks of this attempt are gone with its subtransaction, and lock_timeout is as it was.
        end;
        left_ms := extract(epoch from deadline - clock_timestamp()) * 1000;
        if left_ms <= 0 then
            return false;
        end if;
        perform pg_sleep(least(turn, left_ms) / 1000.0);
        turn := least(turn * 2, turn_max);
    end loop;
end $$;

-- The ids of types that are named: a category's, or one of them. Null for null: all.
create function foldlog.types_named(names text[]) returns integer[]
language sql stable
begin atomic
    select case when names is not null then array(
        select y.id from foldlog.event_type y
        join foldlog.category c on c.id = y.category_id
        where c.name = any (names) or c.name || '-' || y.name = any (names)) end;
end;

-- The first event against each item of a condition: it matches, stands beyond the item's position, and
-- was not seen. What an item says is worked out once, and not for each event. Sorting and
-- bitmaps are off so that the indexes are walked in the order of positions, to the first that is found.
create function foldlog.item_failures(
    request_tenant text[], item_request integer[], item_types text[], item_tags text[],
    item_after bigint[], item_seen text[], live integer[]
) returns table (request integer, "position" bigint)
language sql stable
set enable_bitmapscan = off
set enable_sort = off
begin atomic
    with items as materialized (
        select w.request, request_tenant[w.request] as tenant,
            foldlog.types_named(string_to_array(w.types, e'\x1f')) as types,
            string_to_array(w.tags, e'\x1f') as tags, w.after,
            coalesce(w.seen, '{}')::bigint[] as seen
        from unnest(item_request, item_types, item_tags, item_after, item_seen)
            w(request, types, tags, after, seen)
        where w.request = any (live)
    )
    select i.request, m.position
    from items i
    cross join lateral (
        select t.position from foldlog.event_tag t
        where t.tenant = i.tenant and t.tag = i.tags[1] and t.position > i.after
            and t.position <> all (i.seen)
            and (i.types is null or t.type_id = any (i.types))
            and (cardinality(i.tags) = 1 or not exists (
                select from unnest(i.tags[2:]) r(tag)
                -- Not another exists: it would be joined, and read all tags of the tenant.
                where (
                    select o.position from foldlog.event_tag o
                    where o.tenant = i.tenant and o.tag = r.tag and o.position = t.position) is null))
        order by t.position
        limit 1
    ) m
    where i.tags is not null
    union all
    select i.request, m.position
    from items i
    cross join lateral (
        select e.position
        from foldlog.event e
        where e.position > i.after and e.position <> all (i.seen)
            and (i.types is null or e.type_id = any (i.types))
            -- Not a join: that could begin with all of the tenant's streams.
            and i.tenant = (select s.tenant from foldlog.stream s where s.id = e.stream_id)
        order by e.position
        limit 1
    ) m
    where i.tags is null;
end;

-- Which process holds what an append with these tags waits for. For people: by the time they read it,
-- it may be over. No row if nobody does; null for a prepared transaction.
create function foldlog.tag_holder_1(in_tenant text, of_tags text[]) returns table (pid integer)
language sql volatile security definer
begin atomic
    select l.pid
    from pg_locks l
    where l.granted and l.locktype = 'advisory' and l.objsubid = 1
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and l.pid is distinct from pg_backend_pid()
        and ((l.classid::bigint << 32 | l.objid::bigint) in (
                select foldlog.tag_key(foldlog.lock_bucket(in_tenant, t.tag))
                from unnest(of_tags) t(tag))
            or (l.classid::bigint << 32 | l.objid::bigint) = foldlog.tag_key(4096)
                and (l.mode = 'ExclusiveLock' or of_tags = '{}'))
    order by l.mode, l.pid
    limit 1;
end;

-- The rows of tags, of the events at the positions drawn for them.
create function foldlog.event_tag_write(
    request_tenant text[], stream_request integer[], event_stream integer[], event_position bigint[],
    event_type integer[], event_tags text[]
) returns void
language plpgsql volatile
as $$
begin
    insert into foldlog.event_tag (tenant, tag, position, type_id)
    select request_tenant[stream_request[e.stream]], t.tag, e.position, e.type
    from unnest(event_stream, event_position, event_type, event_tags) e(stream, position, type, tags),
        string_to_table(e.tags, e'\x1f') t(tag)
    where e.position > 0
    group by 1, 2, 3, 4;
end $$;

-- What matches a query, beyond a position. Up to the settled position it comes in pages; the answer
-- that reaches that far ends with the rest, which is beyond it and was committed when it was read. Who
-- appends on condition that nothing else matches names the settled position, and the rest as seen.
--
-- The last row holds no event. Its position is how far the pages have come: the last event that is settled,
-- of whatever stream, unless its version is 1 (the page ended at a limit) or 2 (there are too many beyond:
-- ask again a little later). Not the settled position itself: where nothing stands, a server that crashes
-- gives positions again, and the condition would pass by what is there then. matched says which items
-- each event matches, counted from 0.
create function foldlog.read_query_1(
    in_tenant text, after_position bigint, events_max integer, bytes_max bigint,
    item_types text[], item_tags text[]
) returns table (
    "position" bigint, version bigint, tenant text, stream text, event_id uuid, type_id integer,
    payload json, metadata json, recorded_at timestamptz, matched integer[]
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    seen_max constant integer := 1000;
    -- It may step back; what was taken for settled before is not read again.
    settled constant bigint := greatest(foldlog.settled_1(0, after_position), after_position);
    events integer := 0;
    bytes bigint := 0;
    rest bigint[];
begin
    for "position", version, tenant, stream, event_id, type_id, payload, metadata, recorded_at, matched in
        select e.position, e.version, s.tenant, s.name, e.event_id, e.type_id, e.payload, e.metadata,
            e.recorded_at, q.matched
        from foldlog.query_positions(
            in_tenant, item_types, item_tags, after_position, settled, events_max) q
        join foldlog.event e on e.position = q.position
        join foldlog.stream s on s.id = e.stream_id
        order by q.position
    loop
        return next;
        events := events + 1;
        bytes := bytes + octet_length(payload::text) + coalesce(octet_length(metadata::text), 0);
        if events = events_max or bytes >= bytes_max then
            return query select "position", 1::bigint, null::text, null::text, null::uuid,
                null::integer, null::json, null::json, null::timestamptz, null::integer[];
            return;
        end if;
    end loop;
    -- One statement says what there is beyond; the rows of those are fetched by another.
    rest := array(
        select q.position from foldlog.query_positions(
            in_tenant, item_types, item_tags, settled, 9223372036854775807, seen_max + 1) q);
    if cardinality(rest) > 0 and cardinality(rest) <= seen_max then
        return query
        select e.position, e.version, s.tenant, s.name, e.event_id, e.type_id, e.payload, e.metadata,
            e.recorded_at, q.matched
        from foldlog.query_positions(
            in_tenant, item_types, item_tags, settled, 9223372036854775807, null) q
        join foldlog.event e on e.position = q.position
        join foldlog.stream s on s.id = e.stream_id
        where q.position = any (rest)
        order by q.position;
    end if;
    return query select foldlog.last_event(settled, after_position),
        case when cardinality(rest) > seen_max then 2 else 0 end::bigint,
        null::text, null::text, null::uuid, null::integer, null::json, null::json,
        null::timestamptz, null::integer[];
end $$;

-- The last event up to a settled position, and no less than what was dropped or was read before.
create function foldlog.last_event(settled bigint, after_position bigint) returns bigint
language sql stable
begin atomic
    select greatest(
        (select e.position from foldlog.event e where e.position <= settled
            order by e.position desc limit 1),
        (select l.kept_from - 1 from foldlog.log l where l.number = 0),
        after_position);
end;

-- The positions of the events that match any item, in order, and which items each of them matches. As
-- above, each item's are found by walking an index.
create function foldlog.query_positions(
    in_tenant text, item_types text[], item_tags text[], low bigint, high bigint, at_most integer
) returns table ("position" bigint, matched integer[])
language sql stable
set enable_bitmapscan = off
set enable_sort = off
begin atomic
    with items as materialized (
        select w.item::integer - 1 as item,
            foldlog.types_named(string_to_array(w.types, e'\x1f')) as types,
            string_to_array(w.tags, e'\x1f') as tags
        from unnest(item_types, item_tags) with ordinality w(types, tags, item)
    )
    select m.position, array_agg(m.item order by m.item)
    from (
        select t.position, i.item
        from items i
        cross join lateral (
            select r.position from foldlog.event_tag r
            where r.tenant = in_tenant and r.tag = i.tags[1] and r.position > low
                and r.position <= high
                and (i.types is null or r.type_id = any (i.types))
                and (cardinality(i.tags) = 1 or not exists (
                    select from unnest(i.tags[2:]) n(tag)
                    where (
                        select o.position from foldlog.event_tag o
                        where o.tenant = in_tenant and o.tag = n.tag
                            and o.position = r.position) is null))
            order by r.position
            limit at_most
        ) t
        where i.tags is not null
        union all
        select t.position, i.item
        from items i
        cross join lateral (
            select e.position
            from foldlog.event e
            where e.position > low and e.position <= high
                and (i.types is null or e.type_id = any (i.types))
                and in_tenant = (select s.tenant from foldlog.stream s where s.id = e.stream_id)
            order by e.position
            limit at_most
        ) t
        where i.tags is null
    ) m
    group by m.position
    order by m.position
    limit at_most;
end;

revoke all on all functions in schema foldlog from public;
