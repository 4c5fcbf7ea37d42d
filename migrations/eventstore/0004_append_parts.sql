-- The parts of append_1. They run under its settings: a search path that is pinned, and plans that
-- hold for any arguments.

-- Refuses arguments that don't fit each other.
create function foldlog.append_check(
    request_tenant text[], request_id uuid[], request_hash bytea[], request_reply text[],
    stream_request integer[], stream_name text[], stream_expected bigint[],
    event_stream integer[], event_id uuid[], event_type integer[],
    event_payload text[], event_metadata text[]
) returns void
language plpgsql immutable
as $$
declare
    requests constant integer := coalesce(cardinality(request_tenant), 0);
    streams constant integer := coalesce(cardinality(stream_name), 0);
    events constant integer := coalesce(cardinality(event_id), 0);
    has_ids constant boolean := num_nonnulls(variadic request_id) > 0;
    no_hash constant text := 'a request with an id needs a content hash';
    no_id constant text :=
        'a request without an id needs an event, and an exact version of each stream';
    problem text;
begin
    if cardinality(request_id) is distinct from requests
        or cardinality(request_hash) is distinct from requests
        or cardinality(request_reply) is distinct from requests
        or cardinality(stream_request) is distinct from streams
        or cardinality(stream_expected) is distinct from streams
        or coalesce(cardinality(event_stream), 0) <> events
        or coalesce(cardinality(event_type), 0) <> events
        or coalesce(cardinality(event_payload), 0) <> events
        or coalesce(cardinality(event_metadata), 0) <> events
    then
        problem := 'the arrays of an append differ in length';
    elsif requests = 0 or streams = 0 then
        problem := 'an append needs a request and a stream';
    elsif array_position(request_tenant, null) is not null
        or array_position(stream_name, null) is not null
        or array_position(event_id, null) is not null
        or array_position(event_type, null) is not null
        or array_position(event_payload, null) is not null
    then
        problem := 'an append holds a null where a value must stand';
    elsif not coalesce(1 <= all (stream_request) and requests >= all (stream_request), false)
        or events > 0
            and not coalesce(1 <= all (event_stream) and streams >= all (event_stream), false)
    then
        problem := 'an append names a request or a stream that it does not hold';
    elsif exists (
        select from unnest(stream_request) with ordinality s(request, entry)
        where s.request < stream_request[s.entry - 1])
    then
        problem := 'the streams of an append must stand in the order of their requests';
    elsif not coalesce(-2 <= all (stream_expected), false) then
        problem := 'an expected version must be -2, -1, 0 or positive';
    elsif requests = 1 then
        -- The usual call, checked without a query.
        if request_id[1] is not null and request_hash[1] is null then
            problem := no_hash;
        elsif request_id[1] is null and (events = 0 or not 0 <= all (stream_expected)) then
            problem := no_id;
        end if;
    elsif has_ids and exists (
        select from unnest(request_id, request_hash) r(id, hash)
        where r.id is not null and r.hash is null)
    then
        problem := no_hash;
    elsif has_ids and exists (
        select from unnest(request_tenant, request_id) r(tenant, id)
        where r.id is not null group by r.tenant, r.id having count(*) > 1)
    then
        problem := 'an id stands on two requests';
    elsif exists (
        select from unnest(stream_request, stream_expected) s(request, expected)
        where s.expected < 0 and request_id[s.request] is null)
    then
        problem := no_id;
    elsif (select count(distinct stream_request[e.stream]) from unnest(event_stream) e(stream))
            < requests
        and exists (
            select from unnest(request_id) with ordinality r(id, n)
            where r.id is null and not exists (
                select from unnest(event_stream) e(stream) where stream_request[e.stream] = r.n))
    then
        problem := no_id;
    end if;
    if problem is not null then
        raise exception '%', problem using errcode = 'FL006';
    end if;
end $$;

-- One event for one stream at an exact version, without a receipt: the same statements with fewer
-- arrays. No row if the call needs append_1 in full: a stream that is missing, busy, closed or at
-- another version, or arguments that don't fit.
create function foldlog.append_one(
    tries boolean, request_tenant text[], stream_request integer[], stream_name text[],
    stream_expected bigint[], event_stream integer[], event_id uuid[], event_type integer[],
    event_payload text[], event_metadata text[]
) returns table (
    request integer, stream integer, outcome smallint,
    version bigint, first_position bigint, last_position bigint, reply json
)
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    width constant bigint := foldlog.event_segment_width();
    the_stream record;
    the_end record;
    low bigint;
    high bigint;
    bound bigint;
    next_version bigint;
    drawn bigint;
begin
    if stream_request <> '{1}' or event_stream <> '{1}' or cardinality(request_tenant) <> 1
        or cardinality(event_type) <> 1 or cardinality(event_payload) <> 1
        or cardinality(event_metadata) <> 1
    then
        return;
    end if;
    if tries then
        select s.id, s.known_version, s.known_position, s.slice, s.category_id into the_stream
        from foldlog.stream s where s.tenant = request_tenant[1] and s.name = stream_name[1] and s.state = 0
        for no key update skip locked;
    else
        select s.id, s.known_version, s.known_position, s.slice, s.category_id into the_stream
        from foldlog.stream s where s.tenant = request_tenant[1] and s.name = stream_name[1] and s.state = 0
        for no key update;
    end if;
    low := the_stream.known_position / width * width;
    high := low + width;
    select e.version, e.position into the_end
    from foldlog.event e
    where e.stream_id = the_stream.id and e.position >= low and e.position < high
    order by e.version desc
    limit 1;
    if stream_expected[1] is distinct from coalesce(the_end.version, the_stream.known_version) then
        return;
    end if;
    -- Against conditions on all events.
    if not pg_try_advisory_xact_lock_shared(foldlog.tag_key(4096)) then
        return;
    end if;
    next_version := stream_expected[1] + 1;
    bound := foldlog.bound_publish(0, 'foldlog.event_position');
    insert into foldlog.event (
        position, stream_id, version, recorded_at, event_id, type_id, slice, payload, metadata)
    select nextval('foldlog.event_position'), the_stream.id, next_version, clock_timestamp(),
        event_id[1], t.id, the_stream.slice, event_payload[1]::json, event_metadata[1]::json
    from foldlog.event_type t
    where t.id = event_type[1] and t.category_id = the_stream.category_id
    returning position into drawn;
    if drawn is null then
        perform foldlog.raise_unknown_type();
    elsif drawn <= greatest(bound, the_end.position) then
        perform foldlog.raise_drawn_again(drawn, bound, the_end.position);
    end if;
    if drawn >= high then
        update foldlog.stream s
        set known_version = next_version, known_position = drawn
        where s.id = the_stream.id;
    end if;
    return query select 1, 1, 0::smallint, next_version, drawn, drawn, null::json;
end $$;

-- Locks the rows of streams by tenant and name, and answers them, each with the entries that name it:
-- those that are there, or only those that nobody else holds.
create function foldlog.stream_lock(
    tries boolean, request_tenant text[], stream_request integer[], stream_name text[]
) returns table (
    entries integer[], id bigint, known_version bigint, known_position bigint, slice smallint,
    category_id integer, state smallint
)
language plpgsql volatile
as $$
#variable_conflict use_column
begin
    if tries then
        return query
        select w.entries, s.id, s.known_version, s.known_position, s.slice, s.category_id,
            s.state
        from foldlog.stream_names(request_tenant, stream_request, stream_name) w
        cross join lateral (
            select r.* from foldlog.stream r where r.tenant = w.tenant and r.name = w.name
            for no key update skip locked
        ) s;
    else
        return query
        select w.entries, s.id, s.known_version, s.known_position, s.slice, s.category_id,
            s.state
        from foldlog.stream_names(request_tenant, stream_request, stream_name) w
        cross join lateral (
            select r.* from foldlog.stream r where r.tenant = w.tenant and r.name = w.name
            for no key update
        ) s;
    end if;
end $$;

-- The names of streams, each once and in the order in which rows are locked, with their entries.
create function foldlog.stream_names(
    request_tenant text[], stream_request integer[], stream_name text[]
) returns table (tenant text, name text, entries integer[])
language sql immutable
begin atomic
    select n.tenant, n.name, array_agg(n.entry::integer)
    from (
        select request_tenant[w.request] collate "C" as tenant, w.name collate "C" as name, w.entry
        from unnest(stream_request, stream_name) with ordinality w(request, name, entry)
    ) n
    group by n.tenant, n.name
    order by n.tenant, n.name;
end;

-- Two requests may share a stream only if neither cares for its version, and none may name it twice.
create function foldlog.check_shared(
    entries integer[], stream_request integer[], stream_expected bigint[]
) returns void
language plpgsql volatile
as $$
begin
    if exists (select from unnest(entries) e(entry) where stream_expected[e.entry] > -2)
        or (select count(distinct stream_request[e.entry]) from unnest(entries) e(entry))
            < cardinality(entries)
    then
        raise exception
            'a stream stands twice in a request, or in two that depend on its version'
            using errcode = 'FL006';
    end if;
end $$;

-- Where streams end, whose rows are locked: the version of each, and the highest of their positions.
-- A row names the segment of the stream's last events, whose index of versions knows the last one.
-- Sorting is off so that this index is asked, however few events a stream is thought to have.
create function foldlog.stream_ends(
    row_id bigint[], known_version bigint[], known_position bigint[], width bigint,
    out versions bigint[], out last_position bigint
)
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    -- Most streams are in the segment of the latest: asked for as a constant, the others are pruned
    -- once, and not for each stream.
    low constant bigint := (
        select max(k.position) from unnest(known_position) k(position)) / width * width;
    has_old boolean;
begin
    select array_agg(coalesce(v.version, w.version)), coalesce(max(v.position), 0),
        bool_or(v.version is null and w.position < low and w.id <> 0)
    into versions, last_position, has_old
    from unnest(row_id, known_version, known_position) w(id, version, position)
    left join lateral (
        select e.version, e.position from foldlog.event e
        where e.stream_id = w.id and e.position >= low and e.position < low + width
        order by e.version desc
        limit 1
    ) v on true;
    if has_old then
        select array_agg(greatest(v.version, w.version)), greatest(last_position, max(v.position))
        into versions, last_position
        from unnest(row_id, versions, known_position) w(id, version, position)
        left join lateral (
            select e.version, e.position from foldlog.event e
            where e.stream_id = w.id and e.position >= w.position / width * width
                and e.position < w.position / width * width + width
            order by e.version desc
            limit 1
        ) v on true;
    end if;
end $$;

-- Which requests are busy, of a call that waits for nobody: 4 for each of their streams, 0 for the
-- others; and no version of the streams that are held. A row that is not locked is another's, or about
-- to be made by another, or missing.
create function foldlog.append_busy_streams(
    request_tenant text[], stream_request integer[], stream_name text[], stream_expected bigint[],
    home integer[], inout version bigint[], out result smallint[]
)
language sql volatile
begin atomic
    with entries as (
        select w.entry, w.request, w.version,
            w.home = 0 and (w.expected in (-2, 0) or exists (
                select from foldlog.stream s
                where s.tenant = request_tenant[w.request] and s.name = w.name)) as held
        from unnest(stream_request, stream_name, stream_expected, home, version)
            with ordinality w(request, name, expected, home, version, entry)
    ), busy as (
        select e.request from entries e where e.held group by e.request
    )
    select array_agg(case when not e.held then e.version end order by e.entry),
        array_agg(case when b.request is null then 0 else 4 end::smallint order by e.entry)
    from entries e
    left join busy b on b.request = e.request;
end;

-- Locks the ids of requests, in the order of their keys, and answers the results: 4 for the streams
-- of a request whose id another holds.
create function foldlog.receipt_lock(
    tries boolean, request_tenant text[], request_id uuid[], stream_request integer[],
    result smallint[]
) returns smallint[]
language plpgsql volatile
as $$
declare
    store constant integer := foldlog.store_number();
    held integer[];
begin
    if tries then
        held := array(
            select r.request::integer
            from unnest(request_tenant, request_id) with ordinality r(tenant, id, request)
            where r.id is not null and not pg_try_advisory_xact_lock(foldlog.lock_key(
                store, 4093, uuid_hash_extended(r.id, hashtextextended(r.tenant, 0)))));
        if held = '{}' then
            return result;
        end if;
        return array(
            select case when w.request = any (held) then 4 else w.result end::smallint
            from unnest(stream_request, result) with ordinality w(request, result, entry)
            order by w.entry);
    end if;
    perform pg_advisory_xact_lock(k.key)
    from (
        select distinct foldlog.lock_key(
            store, 4093, uuid_hash_extended(r.id, hashtextextended(r.tenant, 0))) as key
        from unnest(request_tenant, request_id) r(tenant, id)
        where r.id is not null
        order by 1
    ) k;
    return result;
end $$;

-- The rows of events at the positions drawn for them.
create function foldlog.event_write(
    pending integer, the_id bigint[], the_slice smallint[], the_category integer[], home integer[],
    event_stream integer[], event_position bigint[], event_version bigint[], event_id uuid[],
    event_type integer[], event_payload text[], event_metadata text[]
) returns void
language plpgsql volatile
as $$
declare
    inserted integer;
begin
    insert into foldlog.event (
        position, stream_id, version, recorded_at, event_id, type_id, slice, payload, metadata)
    select e.position, the_id[home[e.entry]], e.version, clock_timestamp(), e.id, e.type,
        the_slice[home[e.entry]], e.payload::json, e.metadata::json
    from unnest(event_stream, event_position, event_version, event_id, event_type, event_payload,
        event_metadata) e(entry, position, version, id, type, payload, metadata)
    where e.position > 0 and the_category[home[e.entry]] = (
        select t.category_id from foldlog.event_type t where t.id = e.type);
    get diagnostics inserted = row_count;
    if inserted <> pending then
        perform foldlog.raise_unknown_type();
    end if;
end $$;

-- An event that no reader could decode, or that readers of its category would pass over.
create function foldlog.raise_unknown_type() returns void
language plpgsql volatile
as $$
begin
    raise exception 'an event type does not exist, or is not of its stream''s category'
        using errcode = 'FL007',
              hint = 'Register it: foldlog.event_type_register_1 answers its id. One that was '
                  'lost in a failover is registered again when foldlog repeats the append.';
end $$;

-- A position that is not beyond what it must follow.
create function foldlog.raise_drawn_again(drawn bigint, bound bigint, last_position bigint)
returns void
language plpgsql volatile
as $$
begin
    raise exception 'position % was drawn again: bound %, last position of the streams %',
        drawn, bound, last_position
        using errcode = 'FL004',
              hint = 'The sequence foldlog.event_position was reset or changed.';
end $$;

-- Tells the rows of streams that their last events are in a later segment now.
create function foldlog.stream_move(
    old_snapshot boolean, width bigint, the_id bigint[], the_position bigint[], home integer[],
    result smallint[], result_version bigint[], result_last bigint[]
) returns void
language plpgsql volatile
as $$
begin
    update foldlog.stream s
    set known_version = g.version, known_position = g.position
    from (
        select the_id[r.home] as id, max(r.version) as version, max(r.last) as position
        from unnest(home, result, result_version, result_last) r(home, result, version, last)
        where r.result = 0 and r.last / width > the_position[r.home] / width
        group by r.home
    ) g
    where s.id = g.id;
    -- Nothing vouches for the version then: what the snapshot does not show may be in the segment
    -- that the row named, where no index compares it with what was written now.
    if found and old_snapshot then
        raise exception 'a stream enters a new segment, and this transaction''s snapshot may not '
            'show its last events'
            using errcode = 'FL008',
                  hint = 'Call foldlog.stream_touch_1 for the streams outside of the transaction, '
                      'and run it again.';
    end if;
end $$;

-- Brings the rows of streams up to date: their versions, and the segment of what follows. Only those
-- that nobody else holds.
create function foldlog.stream_touch_1(in_tenant text, of_names text[]) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    rows record;
    the_versions bigint[];
    settled_below constant bigint := foldlog.log_last(0);
begin
    select array_agg(l.id) as ids, array_agg(l.known_version) as versions,
        array_agg(l.known_position) as positions
    into rows
    from foldlog.stream_lock(
        true, array[in_tenant], array_fill(1, array[cardinality(of_names)]), of_names) l;
    if rows.ids is null then
        return;
    end if;
    select e.versions into the_versions
    from foldlog.stream_ends(
        rows.ids, rows.versions, rows.positions, foldlog.event_segment_width()) e;
    update foldlog.stream s
    set known_version = e.version, known_position = greatest(s.known_position, settled_below)
    from unnest(rows.ids, the_versions) e(id, version)
    where s.id = e.id;
end $$;

-- Makes the rows of streams that have none. The buckets' locks are held to the end of the
-- transaction: who only tries to create a stream must be able to see that another is about to. A
-- call that waits for nobody leaves out the streams of buckets that others hold.
create function foldlog.stream_create(
    tries boolean, request_tenant text[], stream_request integer[], stream_name text[],
    stream_expected bigint[]
) returns void
language plpgsql volatile
as $$
declare
    store constant integer := foldlog.store_number();
    lowest constant bigint := foldlog.log_last(0);
    buckets bigint[] := array(
        select distinct foldlog.lock_bucket(request_tenant[w.request], w.name) as bucket
        from unnest(stream_request, stream_name, stream_expected) w(request, name, expected)
        where w.expected in (-2, 0) and not exists (
            select from foldlog.stream s
            where s.tenant = request_tenant[w.request] and s.name = w.name)
        order by bucket);
begin
    if tries then
        buckets := array(
            select b.bucket from unnest(buckets) b(bucket)
            where pg_try_advisory_xact_lock(foldlog.lock_key(store, 4094, b.bucket)));
    else
        perform pg_advisory_xact_lock(foldlog.lock_key(store, 4094, b.bucket))
        from unnest(buckets) b(bucket);
    end if;
    if exists (
        select from unnest(stream_name) w(name)
        where not exists (
            select from foldlog.category c where c.name = split_part(w.name, '-', 1))
    ) then
        raise exception 'the category of a stream is not registered'
            using errcode = 'FL007',
                  hint = 'Register it with the types of its events: foldlog.event_type_register_1.';
    end if;
    insert into foldlog.stream (
        tenant, name, category_id, slice, known_position, first_position)
    select m.tenant, m.name, c.id, foldlog.slice_of(m.name), lowest, lowest
    from (
        select distinct request_tenant[w.request] as tenant, w.name
        from unnest(stream_request, stream_name, stream_expected) w(request, name, expected)
        where w.expected in (-2, 0)
    ) m
    join foldlog.category c on c.name = split_part(m.name, '-', 1)
    where foldlog.lock_bucket(m.tenant, m.name) = any (buckets) and not exists (
        select from foldlog.stream s where s.tenant = m.tenant and s.name = m.name)
    order by m.tenant, m.name
    on conflict (tenant, name) do nothing;
end $$;

-- Judges requests of which at least one expectation failed: a repeat that can be told by the ids of
-- the events stored at the expected versions, or a conflict. Where such events were dropped with their
-- segment, and those that are left tell no difference, nobody can say which of the two it is.
create function foldlog.append_judge(
    request_id uuid[], stream_request integer[], stream_expected bigint[],
    event_stream integer[], event_id uuid[], the_id bigint[], home integer[],
    inout result smallint[], inout version bigint[],
    inout first_position bigint[], inout last_position bigint[]
)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    old_result constant smallint[] := result;
    old_version constant bigint[] := version;
    old_first constant bigint[] := first_position;
    old_last constant bigint[] := last_position;
begin
    with failed as (
        select w.request
        from unnest(stream_request, stream_expected, old_version, old_result)
            w(request, expected, version, result)
        where w.result = 0 and (w.expected = -1 and w.version = 0
            or w.expected >= 0 and w.expected <> w.version)
        group by w.request
    ), stored as (
        select e.entry, stream_request[e.entry] as request, e.id = v.event_id as same,
            v.version is null and stream_expected[e.entry] <= old_version[e.entry] - e.n as gone,
            v.version, v.position
        from (
            select e.entry, e.id, row_number() over (partition by e.entry order by e.place) as n
            from unnest(event_stream, event_id) with ordinality e(entry, id, place)
        ) e
        left join lateral (
            select s.event_id, s.version, s.position from foldlog.event s
            where s.stream_id = the_id[home[e.entry]]
                -- Bounded, so that the sum stays in range; no stream comes near it.
                and s.version = least(stream_expected[e.entry], 4611686018427387904) + e.n
        ) v on true
        where request_id[stream_request[e.entry]] is null
    ), repeated as (
        select s.request, bool_and(coalesce(s.same, false)) as same
        from stored s group by s.request having bool_and(coalesce(s.same, s.gone))
    ), found as (
        select s.entry, max(s.version) as version, min(s.position) as first_position,
            max(s.position) as last_position
        from stored s group by s.entry
    )
    select array_agg(case when f.request is null then old_result[w.entry]
            when r.request is null then 2 when r.same then 1 else 7 end::smallint order by w.entry),
        array_agg(case when r.same then coalesce(o.version, old_version[w.entry])
            else old_version[w.entry] end order by w.entry),
        array_agg(case when r.same then o.first_position else old_first[w.entry] end
            order by w.entry),
        array_agg(case when r.same then o.last_position else old_last[w.entry] end
            order by w.entry)
    into result, version, first_position, last_position
    from unnest(stream_request) with ordinality w(request, entry)
    left join failed f on f.request = w.request
    left join repeated r on r.request = w.request and f.request is not null
    left join found o on o.entry = w.entry;
end $$;

-- Which process holds a stream, or is about to make it. For people: by the time they read it, it may be
-- over. No row if nobody does; null for a prepared transaction.
create function foldlog.stream_holder_1(in_tenant text, of_name text) returns table (pid integer)
language sql volatile security definer
begin atomic
    select l.pid
    from pg_locks l
    where l.granted and l.mode = 'ExclusiveLock' and (
        -- Whoever locks a row leaves the transaction's id on it.
        l.locktype = 'transactionid' and l.transactionid = (
            select s.xmax from foldlog.stream s where s.tenant = in_tenant and s.name = of_name)
        or l.locktype = 'advisory' and l.objsubid = 1
            and l.database = (select d.oid from pg_database d where d.datname = current_database())
            and (l.classid::bigint << 32 | l.objid::bigint) = foldlog.lock_key(
                foldlog.store_number(), 4094, foldlog.lock_bucket(in_tenant, of_name)))
    limit 1;
end;
