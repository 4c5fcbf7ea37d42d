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
    streams constant integer := coalesce(cardinality(stream_name), 0);
    events constant integer := coalesce(cardinality(event_id), 0);
    has_ids constant boolean := num_nonnulls(variadic request_id) > 0;
    found record;
    entry integer;
    place integer;
    drawn bigint;
    bound bigint;
    failed boolean := false;
    -- Per stream entry: the stream's row as it was locked, and where the next event goes. Requests
    -- that share a stream count on in the first entry of it, its home.
    row_id bigint[] := array_fill(null::bigint, array[streams]);
    row_version bigint[] := array_fill(0::bigint, array[streams]);
    row_slice smallint[] := array_fill(null::smallint, array[streams]);
    row_category integer[] := array_fill(null::integer, array[streams]);
    home integer[] := array_fill(null::integer, array[streams]);
    pending integer := 0;
    inserted integer;
    grown_version bigint[];
    grown_first bigint[] := array_fill(null::bigint, array[streams]);
    grown_last bigint[] := array_fill(null::bigint, array[streams]);
    last_position bigint := 0;
    -- Per stream entry: the answer.
    result smallint[] := array_fill(0::smallint, array[streams]);
    result_version bigint[];
    result_first bigint[] := array_fill(null::bigint, array[streams]);
    result_last bigint[] := array_fill(null::bigint, array[streams]);
    result_reply json[] := array_fill(null::json, array[streams]);
    -- Per event: where it goes; null for an event of a request that failed.
    event_position bigint[] := array_fill(null::bigint, array[events]);
    event_version bigint[] := array_fill(null::bigint, array[events]);
    event_home integer[] := array_fill(null::integer, array[events]);
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
    if -2 = any (stream_expected) or 0 = any (stream_expected) then
        perform foldlog.stream_create(request_tenant, stream_request, stream_name, stream_expected)
        from unnest(stream_request, stream_name, stream_expected) w(request, name, expected)
        where w.expected in (-2, 0) and not exists (
            select from foldlog.stream s
            where s.tenant = request_tenant[w.request] and s.name = w.name)
        limit 1;
    end if;
    for found in
        select w.entry::integer as entry, s.id, s.version, s.last_position, s.slice,
            s.category_id
        from unnest(stream_request, stream_name) with ordinality w(request, name, entry)
        join foldlog.stream s on s.tenant = request_tenant[w.request] and s.name = w.name
        order by s.tenant, s.name
        for no key update of s
    loop
        row_id[found.entry] := found.id;
        row_version[found.entry] := found.version;
        row_slice[found.entry] := found.slice;
        row_category[found.entry] := found.category_id;
        last_position := greatest(last_position, found.last_position);
    end loop;
    result_version := row_version;
    grown_version := row_version;

    -- 2. Repeats, by receipt. A lock for each id and no bucket: they come after the rows of streams,
    -- and two transactions that share nothing but a bucket could deadlock.
    if has_ids then
        perform pg_advisory_xact_lock(k.key)
        from (
            select distinct foldlog.lock_key(
                (select s.number from foldlog.store s), 4093, hashtextextended(
                    request_tenant[r.request::integer], hashtextextended(r.id::text, 0))) as key
            from unnest(request_id) with ordinality r(id, request)
            where r.id is not null
            order by 1
        ) k;
        for found in
            select r.request, q.content_hash = r.hash as same, q.versions, q.first_positions,
                q.last_positions, q.reply
            from unnest(request_tenant, request_id, request_hash) with ordinality
                r(tenant, id, hash, request)
            join foldlog.receipt q on q.tenant = r.tenant and q.id = r.id
        loop
            place := 0;
            for entry in 1 .. streams loop
                if stream_request[entry] = found.request and not found.same then
                    result[entry] := 3;
                elsif stream_request[entry] = found.request then
                    place := place + 1;
                    result[entry] := 1;
                    -- What it stands for may be told by a hash that leaves the streams open.
                    result_version[entry] := coalesce(found.versions[place], row_version[entry]);
                    result_first[entry] := found.first_positions[place];
                    result_last[entry] := found.last_positions[place];
                    result_reply[entry] := found.reply;
                end if;
            end loop;
        end loop;
    end if;

    -- 3. Expectations.
    for entry in 1 .. streams loop
        home[entry] := coalesce(array_position(row_id, row_id[entry]), entry);
        failed := failed or result[entry] = 0 and (
            stream_expected[entry] = -1 and row_version[entry] = 0
            or stream_expected[entry] >= 0 and stream_expected[entry] <> row_version[entry]);
    end loop;
    if failed then
        select j.result, j.version, j.first_position, j.last_position
        into result, result_version, result_first, result_last
        from foldlog.append_judge(
            request_id, stream_request, stream_expected, event_stream, event_id,
            row_id, row_version, result, result_version, result_first, result_last) j;
    end if;

    -- 4. The bound, after the last wait and before the first position. Versions count on from the
    -- stream's row, in the order of the events.
    for place in 1 .. events loop
        entry := event_stream[place];
        continue when result[entry] <> 0;
        bound := coalesce(bound, foldlog.bound_1(0));
        drawn := nextval('foldlog.event_position');
        if drawn <= greatest(bound, last_position) then
            raise exception 'position % was drawn again: bound %, last position of the streams %',
                drawn, bound, last_position
                using errcode = 'FL004',
                      hint = 'The sequence foldlog.event_position was reset or changed.';
        end if;
        last_position := drawn;
        pending := pending + 1;
        event_home[place] := home[entry];
        grown_version[home[entry]] := grown_version[home[entry]] + 1;
        grown_first[home[entry]] := coalesce(grown_first[home[entry]], drawn);
        grown_last[home[entry]] := drawn;
        event_position[place] := drawn;
        event_version[place] := grown_version[home[entry]];
        result_version[entry] := grown_version[home[entry]];
        result_first[entry] := coalesce(result_first[entry], drawn);
        result_last[entry] := drawn;
    end loop;

    -- 5. The rows, if there are any: an insert of none would need a bound, too.
    if bound is not null then
        insert into foldlog.event (
            position, stream_id, version, recorded_at, event_id, type_id, slice, payload, metadata)
        select e.position, row_id[e.home], e.version, clock_timestamp(), e.id, e.type,
            row_slice[e.home], e.payload::json, e.metadata::json
        from unnest(event_position, event_home, event_version, event_id, event_type, event_payload,
            event_metadata) e(position, home, version, id, type, payload, metadata)
        join foldlog.event_type t on t.id = e.type and t.category_id = row_category[e.home]
        where e.position is not null;
        -- An event that no reader could decode, or that readers of its category would pass over.
        get diagnostics inserted = row_count;
        if inserted <> pending then
            raise exception 'an event type does not exist, or is not of its stream''s category'
                using errcode = 'FL007',
                      hint = 'Register it: foldlog.event_type_register_1 answers its id. One that was '
                          'lost in a failover is registered again when foldlog repeats the append.';
        end if;
        update foldlog.stream s
        set version = g.version, last_position = g.last_position,
            first_position = coalesce(s.first_position, g.first_position)
        from unnest(row_id, grown_version, grown_first, grown_last)
            g(id, version, first_position, last_position)
        where s.id = g.id and g.last_position is not null;
    end if;

    -- 6. Receipts.
    if has_ids and 0 = any (result) then
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
        -- The id's lock excludes rivals, but an old snapshot does not show what they wrote: at
        -- repeatable read this raises 40001, where a plain insert would raise 23505.
        on conflict (tenant, id) do nothing;
    end if;

    return query
    select w.request, w.entry::integer, result[w.entry], result_version[w.entry],
        result_first[w.entry], result_last[w.entry], result_reply[w.entry]
    from unnest(stream_request) with ordinality w(request, entry)
    order by w.entry;
end $$;
