-- Appends. A call carries any number of requests, each of which succeeds or fails as a whole:
--
--   requests: tenant, id (null: none), content hash, reply (json text or null)
--   streams:  which request (1-based), name, expected version (-2 any, -1 exists, 0 none, n exactly n)
--   events:   which stream entry (1-based), id, type, payload (json text), metadata (json text or null)
--
-- A request without an id needs an exact expectation on every stream and at least one event: it is
-- then recognised, when repeated, by the ids of the stored events. Every other request leaves a
-- receipt. The answer is one row per stream entry; outcomes are
--
--   0 appended    version, first and last position are those of this request's events
--   1 repeated    the same, as they were the first time, and the reply of then
--   2 conflict    version is the stream's; nothing of the request was written
--   3 id reused   the id stands on a receipt for other content
--
-- wait_ms bounds each wait for a lock (SQLSTATE 55P03 after it); null leaves lock_timeout alone.
--
-- The order of the statements is the proof of the settled position: stream rows, then the bound,
-- then the positions. Locks are taken in the order of their keys: creation buckets, stream rows by
-- tenant and name, ids of receipts. A conflict is an answer and not an error, so that it does not
-- abort the caller's transaction.

create function foldlog.append_1(
    wait_ms integer,
    request_tenant text[], request_id uuid[], request_hash bytea[], request_reply text[],
    stream_request integer[], stream_name text[], stream_expected bigint[],
    event_stream integer[], event_id uuid[], event_type integer[],
    event_payload text[], event_metadata text[]
) returns table (
    request integer, stream integer, outcome smallint,
    version bigint, first_position bigint, last_position bigint, reply json
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    store constant integer := (select s.number from foldlog.store s);
    event_count constant integer := coalesce(cardinality(event_id), 0);
    row_id bigint[];
    row_version bigint[];
    row_last_position bigint[];
    row_slice smallint[];
    -- Per stream entry: the outcome, and what the answer says.
    result smallint[];
    result_version bigint[];
    result_first bigint[];
    result_last bigint[];
    result_reply json[];
    drawn bigint[];
    bound bigint;
begin
    perform foldlog.append_check(
        request_tenant, request_id, request_hash, request_reply, stream_request, stream_name,
        stream_expected, event_stream, event_id, event_type, event_payload, event_metadata);
    if wait_ms is not null then
        perform set_config('lock_timeout', wait_ms::text, true);
    end if;
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'local', true);
    end if;

    -- 1. Streams. Missing ones first, unless the expectation can't be met by a new one.
    perform foldlog.stream_create(request_tenant, stream_request, stream_name, stream_expected)
    from unnest(stream_request, stream_name, stream_expected) w(request, name, expected)
    where w.expected in (-2, 0) and not exists (
        select from foldlog.stream s where s.tenant = request_tenant[w.request] and s.name = w.name)
    limit 1;

    with locked as materialized (
        select w.entry, s.id, s.version, s.last_position, s.slice
        from unnest(stream_request, stream_name) with ordinality w(request, name, entry)
        join foldlog.stream s on s.tenant = request_tenant[w.request] and s.name = w.name
        order by s.tenant, s.name
        for no key update of s
    )
    select array_agg(k.id order by e.entry), array_agg(coalesce(k.version, 0) order by e.entry),
        array_agg(coalesce(k.last_position, 0) order by e.entry),
        array_agg(k.slice order by e.entry), array_agg(0::smallint order by e.entry)
    into row_id, row_version, row_last_position, row_slice, result
    from generate_series(1, cardinality(stream_name)) e(entry)
    left join locked k on k.entry = e.entry;

    result_version := row_version;
    result_first := array_fill(null::bigint, array[cardinality(stream_name)]);
    result_last := result_first;
    result_reply := array_fill(null::json, array[cardinality(stream_name)]);

    -- 2. Repeats, by receipt. A lock for each id and no bucket: they come after the rows of streams,
    -- and two transactions that share nothing but a bucket could deadlock.
    if num_nonnulls(variadic request_id) > 0 then
        perform pg_advisory_xact_lock(k.key)
        from (
            select distinct foldlog.lock_key(store, 4093, hashtextextended(
                request_tenant[r.request::integer], hashtextextended(r.id::text, 0))) as key
            from unnest(request_id) with ordinality r(id, request)
            where r.id is not null
            order by 1
        ) k;
        select array_agg(coalesce(f.outcome, 0::smallint) order by e.entry),
            array_agg(coalesce(f.version, row_version[e.entry]) order by e.entry),
            array_agg(f.first_position order by e.entry),
            array_agg(f.last_position order by e.entry),
            array_agg(f.reply order by e.entry)
        into result, result_version, result_first, result_last, result_reply
        from (
            select w.request, w.entry::integer as entry,
                row_number() over (partition by w.request order by w.entry) as place
            from unnest(stream_request) with ordinality w(request, entry)
        ) e
        left join lateral (
            select case when q.content_hash = request_hash[e.request] then 1 else 3 end::smallint
                    as outcome,
                q.versions[e.place] as version, q.first_positions[e.place] as first_position,
                q.last_positions[e.place] as last_position, q.reply
            from foldlog.receipt q
            where q.tenant = request_tenant[e.request] and q.id = request_id[e.request]
        ) f on true;
    end if;

    -- 3. Expectations.
    if exists (
        select from unnest(stream_expected, row_version, result) w(expected, version, result)
        where w.result = 0 and (w.expected = -1 and w.version = 0
            or w.expected >= 0 and w.expected <> w.version)
    ) then
        select j.result, j.version, j.first_position, j.last_position
        into result, result_version, result_first, result_last
        from foldlog.append_judge(
            request_id, stream_request, stream_expected, event_stream, event_id,
            row_id, row_version, result, result_version, result_first, result_last) j;
    end if;

    if 0 = any (result) then
        -- 4. The bound, after the last wait and before the first position.
        if event_count > 0 then
            bound := foldlog.bound_1(0);
            drawn := array(
                select nextval('foldlog.event_position')
                from unnest(event_stream) e(entry) where result[e.entry] = 0);
            if drawn[1] <= greatest(bound, (select max(p) from unnest(row_last_position) p)) then
                raise exception 'position % was drawn again: bound %, last position of the streams %',
                    drawn[1], bound, (select max(p) from unnest(row_last_position) p)
                    using errcode = 'FL004',
                          hint = 'The sequence foldlog.event_position was reset or changed.';
            end if;
        end if;

        -- 5. The rows, if there are any: an insert of none would need a bound, too. Versions count on
        -- from the stream's row, in the order of the events.
        if cardinality(drawn) > 0 then
            with numbered as materialized (
                select e.entry, e.id, e.type, e.payload, e.metadata, row_id[e.entry] as stream_id,
                    drawn[row_number() over (order by e.place)] as position,
                    row_version[e.entry]
                        + row_number() over (partition by row_id[e.entry] order by e.place) as version
                from unnest(event_stream, event_id, event_type, event_payload, event_metadata)
                    with ordinality e(entry, id, type, payload, metadata, place)
                where result[e.entry] = 0
            ), inserted as (
                insert into foldlog.event (
                    position, stream_id, version, recorded_at, event_id, type_id, slice,
                    payload, metadata)
                select n.position, n.stream_id, n.version, clock_timestamp(), n.id, n.type,
                    row_slice[n.entry], n.payload::json, n.metadata::json
                from numbered n
                order by n.position
            ), grown as (
                update foldlog.stream s
                set version = g.version, last_position = g.last_position,
                    first_position = coalesce(s.first_position, g.first_position)
                from (
                    select n.stream_id, max(n.version) as version, min(n.position) as first_position,
                        max(n.position) as last_position
                    from numbered n group by n.stream_id
                ) g
                where s.id = g.stream_id
            ), answer as (
                select n.entry, max(n.version) as version, min(n.position) as first_position,
                    max(n.position) as last_position
                from numbered n group by n.entry
            )
            select array_agg(coalesce(a.version, result_version[e.entry]) order by e.entry),
                array_agg(coalesce(a.first_position, result_first[e.entry]) order by e.entry),
                array_agg(coalesce(a.last_position, result_last[e.entry]) order by e.entry)
            into result_version, result_first, result_last
            from generate_series(1, cardinality(stream_name)) e(entry)
            left join answer a on a.entry = e.entry;
        end if;

        -- 6. Receipts.
        if num_nonnulls(variadic request_id) > 0 then
            insert into foldlog.receipt (
                tenant, id, content_hash, versions, first_positions, last_positions, reply)
            select request_tenant[e.request], request_id[e.request], request_hash[e.request],
                array_agg(result_version[e.entry] order by e.entry),
                array_agg(result_first[e.entry] order by e.entry),
                array_agg(result_last[e.entry] order by e.entry),
                request_reply[e.request]::json
            from unnest(stream_request) with ordinality e(request, entry)
            where request_id[e.request] is not null and result[e.entry] = 0
            group by e.request
            -- The bucket's lock excludes rivals, but an old snapshot does not show what they wrote:
            -- at repeatable read this raises 40001, where a plain insert would raise 23505.
            on conflict (tenant, id) do nothing;
        end if;
    end if;

    return query
    select w.request, w.entry::integer, result[w.entry], result_version[w.entry],
        result_first[w.entry], result_last[w.entry], result_reply[w.entry]
    from unnest(stream_request) with ordinality w(request, entry)
    order by w.entry;
end $$;
