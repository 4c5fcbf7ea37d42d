-- Appends. A call carries any number of requests, each of which succeeds or fails as a whole:
--
--   requests: tenant, id (null: none), content hash, reply (json text or null)
--   streams:  which request (1-based, rising), name, expected version (-2 any, -1 exists, 0 none, n)
--   events:   which stream entry (1-based), id, type, payload (json text), metadata (json text or
--             null), tags (one text, parted by the unit separator U+001F; null: none). event_tags is
--             null as a whole where no event has any.
--   items:    of a condition: which request, types, tags (parted likewise; null: any), a position,
--             and the positions beyond it that were seen (null: none). An event is of one of the
--             types (category, or category-type) and carries all of the tags. The request is refused
--             if such an event stands beyond the position and was not seen.
--
-- A request without an id needs an exact expectation on every stream and at least one event: it is
-- then recognised, when repeated, by the ids of the stored events. Every other request leaves a
-- receipt. The answer is one row per stream entry; outcomes are
--
--   0 appended    version, first and last position are those of this request's events
--   1 repeated    the same, as they were the first time, and the reply of then
--   2 conflict    version is the stream's; nothing of the request was written
--   3 id reused   the id stands on a receipt for other content
--   4 busy        others hold what the request needs; version is null at the streams they hold
--   5 closed      a stream was archived or tombstoned; its reply says when and why
--   6 condition   an event stands against the request's condition, at the first position
--   7 expired     what would tell a repeat from a conflict was dropped with its segment
--
-- wait_ms bounds each wait for a lock (SQLSTATE 55P03 after it); null leaves lock_timeout alone. 0
-- waits for nobody: what is held is answered as busy, and the other requests go on.
--
-- The order of the statements is the proof of the settled position: stream rows, then the bound,
-- then the positions. Locks are taken in the order of their keys: creation buckets, stream rows by
-- tenant and name, ids of receipts, tags. A conflict is an answer and not an error, so that it does not
-- abort the caller's transaction.

create function foldlog.append_1(
    wait_ms integer,
    request_tenant text[], request_id uuid[], request_hash bytea[], request_reply text[],
    stream_request integer[], stream_name text[], stream_expected bigint[],
    event_stream integer[], event_id uuid[], event_type integer[],
    event_payload text[], event_metadata text[], event_tags text[],
    item_request integer[], item_types text[], item_tags text[], item_after bigint[], item_seen text[]
) returns table (
    request integer, stream integer, outcome smallint,
    version bigint, first_position bigint, last_position bigint, reply json
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
    tries constant boolean := coalesce(wait_ms = 0, false);
    streams constant integer := coalesce(cardinality(stream_name), 0);
    events constant integer := coalesce(cardinality(event_id), 0);
    has_ids constant boolean := num_nonnulls(variadic request_id) > 0;
    has_tags constant boolean := event_tags is not null;
    has_items constant boolean := coalesce(cardinality(item_request), 0) > 0;
    old_snapshot constant boolean :=
        current_setting('transaction_isolation') not in ('read committed', 'read uncommitted');
    width constant bigint := foldlog.event_segment_width();
    line record;
    entry integer;
    place integer;
    drawn bigint;
    bound bigint;
    failed boolean := false;
    -- Each stream whose row is locked.
    the_id bigint[] := '{}';
    the_version bigint[] := '{}';
    the_position bigint[] := '{}';
    the_slice smallint[] := '{}';
    the_state smallint[] := '{}';
    the_category integer[] := '{}';
    -- Per stream entry: which of them it names, 0 if there is none or another holds it. Requests that
    -- share a stream count on from one another.
    home integer[];
    grown_version bigint[];
    last_position bigint := 0;
    lowest bigint;
    pending integer := 0;
    -- Per stream entry: the answer.
    result smallint[];
    result_version bigint[];
    result_first bigint[];
    result_last bigint[];
    result_reply json[];
    -- Per event: where it goes; 0 for an event of a request that failed.
    event_position bigint[];
    event_version bigint[];
begin
    if wait_ms > 0 then
        perform set_config('lock_timeout', wait_ms::text, true);
    end if;
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'local', true);
    end if;

    -- The usual call by far: one event for one stream at a version.
    if events = 1 and streams = 1 and stream_expected[1] >= 0 and not has_ids and not has_tags
        and not has_items and not old_snapshot
    then
        return query select o.* from foldlog.append_one(
            tries, request_tenant, stream_request, stream_name, stream_expected,
            event_stream, event_id, event_type, event_payload, event_metadata) o;
        if found then
            return;
        end if;
    end if;
    perform foldlog.append_check(
        request_tenant, request_id, request_hash, request_reply, stream_request, stream_name,
        stream_expected, event_stream, event_id, event_type, event_payload, event_metadata);
    if has_tags or has_items then
        perform foldlog.append_check_tags(
            request_tenant, stream_request, event_stream, event_tags,
            item_request, item_types, item_tags, item_after, item_seen);
    end if;
    home := array_fill(0, array[streams]);
    result := array_fill(0::smallint, array[streams]);
    result_version := array_fill(0::bigint, array[streams]);
    result_first := array_fill(null::bigint, array[streams]);
    result_last := result_first;
    result_reply := array_fill(null::json, array[streams]);

    -- 1. Streams. Missing ones first, unless the expectation can't be met by a new one.
    if -2 = any (stream_expected) or 0 = any (stream_expected) then
        perform foldlog.stream_create(
            tries, request_tenant, stream_request, stream_name, stream_expected)
        from unnest(stream_request, stream_name, stream_expected) w(request, name, expected)
        where w.expected in (-2, 0) and not exists (
            select from foldlog.stream s
            where s.tenant = request_tenant[w.request] and s.name = w.name)
        limit 1;
    end if;
    place := 0;
    for line in select l.* from foldlog.stream_lock(tries, request_tenant, stream_request, stream_name) l
    loop
        place := place + 1;
        the_id[place] := line.id;
        the_version[place] := line.known_version;
        the_position[place] := line.known_position;
        the_slice[place] := line.slice;
        the_category[place] := line.category_id;
        the_state[place] := line.state;
        lowest := least(lowest, line.known_position);
        foreach entry in array line.entries loop
            home[entry] := place;
        end loop;
        if cardinality(line.entries) > 1 then
            perform foldlog.check_shared(line.entries, stream_request, stream_expected);
        end if;
    end loop;
    if place > 0 then
        select e.versions, e.last_position into the_version, last_position
        from foldlog.stream_ends(the_id, the_version, the_position, width) e;
    end if;
    for entry in 1 .. streams loop
        if home[entry] > 0 then
            result_version[entry] := the_version[home[entry]];
        end if;
    end loop;
    if tries and 0 = any (home) then
        select b.result, b.version into result, result_version
        from foldlog.append_busy_streams(
            request_tenant, stream_request, stream_name, stream_expected, home, result_version) b;
    end if;

    -- 2. Repeats, by receipt. A lock for each id and no bucket: they come after the rows of streams,
    -- and two transactions that share nothing but a bucket could deadlock.
    if has_ids then
        result := foldlog.receipt_lock(tries, request_tenant, request_id, stream_request, result);
        for line in
            select r.request, q.content_hash = r.hash as same, q.versions, q.first_positions,
                q.last_positions, q.reply
            from unnest(request_tenant, request_id, request_hash) with ordinality
                r(tenant, id, hash, request)
            -- One look-up each, whatever the table was like when this was planned.
            cross join lateral (
                select c.* from foldlog.receipt c where c.tenant = r.tenant and c.id = r.id limit 1
            ) q
        loop
            place := 0;
            for entry in 1 .. streams loop
                if stream_request[entry] <> line.request or result[entry] = 4 then
                    continue;
                elsif not line.same then
                    result[entry] := 3;
                else
                    place := place + 1;
                    result[entry] := 1;
                    -- What it stands for may be told by a hash that leaves the streams open.
                    result_version[entry] := coalesce(line.versions[place], result_version[entry]);
                    result_first[entry] := line.first_positions[place];
                    result_last[entry] := line.last_positions[place];
                    result_reply[entry] := line.reply;
                end if;
            end loop;
        end loop;
    end if;

    -- 3. Expectations.
    for entry in 1 .. streams loop
        if result[entry] = 0 and (
            stream_expected[entry] = -1 and result_version[entry] = 0
            or stream_expected[entry] >= 0 and stream_expected[entry] <> result_version[entry])
        then
            failed := true;
            exit;
        end if;
    end loop;
    if failed then
        select j.result, j.version, j.first_position, j.last_position
        into result, result_version, result_first, result_last
        from foldlog.append_judge(
            request_id, stream_request, stream_expected, event_stream, event_id, the_id, home,
            result, result_version, result_first, result_last) j;
    end if;
    if 0 <> any (the_state) then
        select c.result, c.reply into result, result_reply
        from foldlog.append_closed(stream_request, home, the_id, result, result_reply) c;
    end if;

    -- 4. Tags, and conditions on them. Who has nothing to do with either still says that it writes: a
    -- condition without a tag is on all events.
    if has_tags or has_items then
        select g.result, g.first_position into result, result_first
        from foldlog.append_guard(
            tries, wait_ms, request_tenant, stream_request, event_stream, event_tags,
            item_request, item_types, item_tags, item_after, item_seen, result, result_first) g;
    elsif 0 = any (result) then
        result := foldlog.append_share(tries, wait_ms, result);
    end if;

    -- 5. The bound, after the last wait and before the first position. Versions count on from the
    -- stream's last, in the order of the events.
    event_position := array_fill(0::bigint, array[events]);
    event_version := event_position;
    grown_version := the_version;
    for place in 1 .. events loop
        entry := event_stream[place];
        continue when result[entry] <> 0;
        if bound is null then
            bound := foldlog.bound_publish(0, 'foldlog.event_position');
        end if;
        drawn := nextval('foldlog.event_position');
        if drawn <= greatest(bound, last_position) then
            perform foldlog.raise_drawn_again(drawn, bound, last_position);
        end if;
        last_position := drawn;
        pending := pending + 1;
        grown_version[home[entry]] := grown_version[home[entry]] + 1;
        event_position[place] := drawn;
        event_version[place] := grown_version[home[entry]];
        result_version[entry] := event_version[place];
        if result_first[entry] is null then
            result_first[entry] := drawn;
        end if;
        result_last[entry] := drawn;
    end loop;

    -- 6. The rows, if there are any: an insert of none would need a bound, too.
    if bound is not null and not old_snapshot then
        perform foldlog.event_write(
            pending, the_id, the_slice, the_category, home, event_stream, event_position,
            event_version, event_id, event_type, event_payload, event_metadata);
    elsif bound is not null then
        -- The versions were read in a snapshot that may not show the stream's last events. They are in
        -- the segment that its row names: there the index of versions knows them.
        begin
            perform foldlog.event_write(
                pending, the_id, the_slice, the_category, home, event_stream, event_position,
                event_version, event_id, event_type, event_payload, event_metadata);
        exception when unique_violation then
            raise exception 'others have appended to the stream since this transaction''s snapshot'
                using errcode = '40001', hint = 'Run the transaction again.';
        end;
    end if;
    if last_position / width > lowest / width then
        perform foldlog.stream_move(
            old_snapshot, width, the_id, the_position, home, result, result_version, result_last);
    end if;

    if has_tags and bound is not null then
        perform foldlog.event_tag_write(
            request_tenant, stream_request, event_stream, event_position, event_type, event_tags);
    end if;

    -- 7. Receipts.
    if has_ids and 0 = any (result) then
        insert into foldlog.receipt (
            tenant, id, content_hash, versions, first_positions, last_positions, reply)
        select request_tenant[g.request], request_id[g.request], request_hash[g.request],
            result_version[g.first:g.last], result_first[g.first:g.last],
            result_last[g.first:g.last], request_reply[g.request]::json
        from (
            -- The streams of a request stand together.
            select e.request, min(e.entry)::integer as first, max(e.entry)::integer as last
            from unnest(stream_request, result) with ordinality e(request, result, entry)
            where e.result = 0
            group by e.request
        ) g
        where request_id[g.request] is not null
        -- The id's lock excludes rivals, but an old snapshot does not show what they wrote: at
        -- repeatable read this raises 40001, where a plain insert would raise 23505.
        on conflict (tenant, id) do nothing;
    end if;

    return query
    select w.request, w.entry::integer, w.outcome, w.version, w.first, w.last, w.reply
    from unnest(stream_request, result, result_version, result_first, result_last, result_reply)
        with ordinality w(request, outcome, version, first, last, reply, entry);
end $$;
