-- The parts of append_1 that most calls pass by.

-- Refuses arguments that don't fit each other.
create function foldlog.append_check(
    request_tenant text[], request_id uuid[], request_hash bytea[], request_reply text[],
    stream_request integer[], stream_name text[], stream_expected bigint[],
    event_stream integer[], event_id uuid[], event_type integer[],
    event_payload text[], event_metadata text[]
) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
    requests constant integer := coalesce(cardinality(request_tenant), 0);
    streams constant integer := coalesce(cardinality(stream_name), 0);
    events constant integer := coalesce(cardinality(event_id), 0);
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
    elsif not coalesce(-2 <= all (stream_expected), false) then
        problem := 'an expected version must be -2, -1, 0 or positive';
    elsif requests = 1 then
        -- The usual call, checked without a query.
        if request_id[1] is not null and request_hash[1] is null then
            problem := no_hash;
        elsif request_id[1] is null and (events = 0 or not 0 <= all (stream_expected)) then
            problem := no_id;
        end if;
    elsif exists (
        select from unnest(request_id, request_hash) r(id, hash)
        where r.id is not null and r.hash is null)
    then
        problem := no_hash;
    elsif exists (
        select from unnest(request_tenant, request_id) r(tenant, id)
        where r.id is not null group by r.tenant, r.id having count(*) > 1)
    then
        problem := 'an id stands on two requests';
    elsif exists (
        select from unnest(request_id) with ordinality r(id, n)
        where r.id is null and (
            not exists (
                select from unnest(event_stream) e(s) where stream_request[e.s] = r.n)
            or exists (
                select from unnest(stream_request, stream_expected) s(request, expected)
                where s.request = r.n and s.expected < 0))
    ) then
        problem := no_id;
    end if;
    if problem is null and streams > 1 and exists (
        -- Two requests may share a stream only if neither cares for its version.
        select from unnest(stream_request, stream_name, stream_expected) s(request, name, expected)
        group by request_tenant[s.request], s.name
        having count(*) > 1 and (count(distinct s.request) < count(*) or max(s.expected) > -2)
    ) then
        problem := 'a stream stands twice in a request, or in two that depend on its version';
    end if;
    if problem is not null then
        raise exception '%', problem using errcode = 'FL006';
    end if;
end $$;

-- Makes the rows of streams that have none. The buckets' locks are held to the end of the
-- transaction: who only tries to create a stream must be able to see that another is about to.
create function foldlog.stream_create(
    request_tenant text[], stream_request integer[], stream_name text[], stream_expected bigint[]
) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(k.key)
    from (
        select distinct foldlog.lock_key(
            (select s.number from foldlog.store s), 4094,
            foldlog.lock_bucket(request_tenant[w.request], w.name)) as key
        from unnest(stream_request, stream_name, stream_expected) w(request, name, expected)
        where w.expected in (-2, 0) and not exists (
            select from foldlog.stream s
            where s.tenant = request_tenant[w.request] and s.name = w.name)
        order by 1
    ) k;
    if exists (
        select from unnest(stream_name) w(name)
        where not exists (
            select from foldlog.category c where c.name = split_part(w.name, '-', 1))
    ) then
        raise exception 'the category of a stream is not registered'
            using errcode = 'FL007',
                  hint = 'Register it with the types of its events: foldlog.event_type_register_1.';
    end if;
    insert into foldlog.stream (tenant, name, category_id, slice)
    select m.tenant, m.name, c.id, foldlog.slice_of(m.name)
    from (
        select distinct request_tenant[w.request] as tenant, w.name
        from unnest(stream_request, stream_name, stream_expected) w(request, name, expected)
        where w.expected in (-2, 0)
    ) m
    join foldlog.category c on c.name = split_part(m.name, '-', 1)
    where not exists (
        select from foldlog.stream s where s.tenant = m.tenant and s.name = m.name)
    order by m.tenant, m.name
    on conflict (tenant, name) do nothing;
end $$;

-- Judges requests of which at least one expectation failed: a repeat that can be told by the ids of
-- the events stored at the expected versions, or a conflict.
create function foldlog.append_judge(
    request_id uuid[], stream_request integer[], stream_expected bigint[],
    event_stream integer[], event_id uuid[],
    row_id bigint[], row_version bigint[],
    inout result smallint[], inout version bigint[],
    inout first_position bigint[], inout last_position bigint[]
)
language plpgsql volatile set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
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
        from unnest(stream_request, stream_expected, row_version, old_result)
            w(request, expected, version, result)
        where w.result = 0 and (w.expected = -1 and w.version = 0
            or w.expected >= 0 and w.expected <> w.version)
        group by w.request
    ), stored as (
        select e.entry, stream_request[e.entry] as request, e.id = v.event_id as same,
            v.version, v.position
        from (
            select e.entry, e.id, row_number() over (partition by e.entry order by e.place) as n
            from unnest(event_stream, event_id) with ordinality e(entry, id, place)
        ) e
        left join lateral (
            select s.event_id, s.version, s.position from foldlog.event s
            where s.stream_id = row_id[e.entry]
                -- Bounded, so that the sum stays in range; no stream comes near it.
                and s.version = least(stream_expected[e.entry], 4611686018427387904) + e.n
        ) v on true
        where request_id[stream_request[e.entry]] is null
    ), repeated as (
        select s.request from stored s group by s.request having bool_and(coalesce(s.same, false))
    ), found as (
        select s.entry, max(s.version) as version, min(s.position) as first_position,
            max(s.position) as last_position
        from stored s group by s.entry
    )
    select array_agg(case when f.request is null then old_result[w.entry]
            when r.request is null then 2 else 1 end::smallint order by w.entry),
        array_agg(case when r.request is null then old_version[w.entry]
            else coalesce(o.version, old_version[w.entry]) end order by w.entry),
        array_agg(case when r.request is null then old_first[w.entry]
            else o.first_position end order by w.entry),
        array_agg(case when r.request is null then old_last[w.entry]
            else o.last_position end order by w.entry)
    into result, version, first_position, last_position
    from unnest(stream_request) with ordinality w(request, entry)
    left join failed f on f.request = w.request
    left join repeated r on r.request = w.request and f.request is not null
    left join found o on o.entry = w.entry;
end $$;
