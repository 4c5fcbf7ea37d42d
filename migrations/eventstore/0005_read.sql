-- Reads. Each answers with one row that holds no event and says how far the answer reaches, and with
-- the events in order.

-- The marks of a marked stream: its state, its first version, and which mark closed it and which cut it.
create function foldlog.stream_marks(s foldlog.stream) returns json
language plpgsql stable
as $$
begin
    return json_build_object(
        'state', s.state, 'first_version', s.first_version, 'first_is_summary', s.first_is_summary,
        'closed', (
            select foldlog.mark_json(m) from foldlog.stream_mark m
            where m.stream_id = s.id and m.mark in ('archive', 'tombstone')
            order by m.number desc limit 1),
        'cut', (
            select foldlog.mark_json(m) from foldlog.stream_mark m
            where m.stream_id = s.id and m.mark in ('truncate', 'drop')
            order by m.number desc limit 1));
end $$;

-- Up to which version readers of a stream see nothing.
create function foldlog.hidden_up_to(s foldlog.stream) returns bigint
language sql immutable
begin atomic
    select case s.state when 2 then 9223372036854775807 else s.first_version - 1 end;
end;

-- The settled order beyond a position, whatever the marks of streams say. The answer ends with the
-- event that reaches either limit, or with the settled position. The last row holds no event: every
-- event up to its position is in the answer, and its version is 1 if it ended at a limit.
--
-- The names of streams are not in it: to look one up costs as much as all the rest of an event, and a
-- reader has met most of them before (stream_names_1).
create function foldlog.read_all_1(
    after_position bigint, events_max integer, bytes_max bigint, modulus integer, remainder integer,
    categories text[], kinds text[]
) returns table (
    "position" bigint, version bigint, stream_id bigint, event_id uuid, type_id integer,
    payload json, metadata json, recorded_at timestamptz
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    settled constant bigint := foldlog.settled_1(0, after_position);
    -- Where a filter leaves less than one event in four, to look ahead would be half of the work.
    ahead constant bigint := least(settled, after_position + 4 * events_max::bigint);
    types integer[];
    events integer := 0;
    bytes bigint := 0;
    is_packed boolean;
    last bigint;
    reached bigint := greatest(settled, after_position);
    ended_at_limit bigint := 0;
begin
    -- Looked up after the settled position: the type of every settled event is committed by now.
    if cardinality(categories) > 0 or cardinality(kinds) > 0 then
        types := array(
            select t.id from foldlog.event_type t join foldlog.category c on c.id = t.category_id
            where (cardinality(categories) = 0 or c.name = any (categories))
                and (cardinality(kinds) = 0 or t.name = any (kinds)));
    end if;
    -- How much there is, as far as that can be said without unpacking it.
    select count(*), coalesce(sum(p.bytes), 0), coalesce(bool_or(p.is_packed), false), max(p.position)
    into events, bytes, is_packed, last
    from (
        select e.position, pg_column_size(e.payload) + coalesce(pg_column_size(e.metadata), 0) as bytes,
            num_nonnulls(pg_column_compression(e.payload), pg_column_compression(e.metadata)) > 0
                as is_packed
        from foldlog.event e
        where e.position > after_position and e.position <= ahead
            and (types is null or e.type_id = any (types))
            and (modulus = 1 or e.slice & (modulus - 1) = remainder)
        order by e.position
        limit events_max
    ) p;
    if (events = events_max or ahead = settled) and bytes < bytes_max and not is_packed then
        return query
        select e.position, e.version, e.stream_id, e.event_id, e.type_id, e.payload, e.metadata,
            e.recorded_at
        from foldlog.event e
        where e.position > after_position and e.position <= last
            and (types is null or e.type_id = any (types))
            and (modulus = 1 or e.slice & (modulus - 1) = remainder)
        order by e.position;
        if events = events_max then
            reached := last;
            ended_at_limit := 1;
        end if;
    else
        events := 0;
        bytes := 0;
        for "position", version, stream_id, event_id, type_id, payload, metadata, recorded_at in
            select e.position, e.version, e.stream_id, e.event_id, e.type_id, e.payload, e.metadata,
                e.recorded_at
            from foldlog.event e
            where e.position > after_position and e.position <= settled
                and (types is null or e.type_id = any (types))
                and (modulus = 1 or e.slice & (modulus - 1) = remainder)
            order by e.position
            limit events_max
        loop
            return next;
            events := events + 1;
            bytes := bytes + octet_length(payload::text) + coalesce(octet_length(metadata::text), 0);
            if events = events_max or bytes >= bytes_max then
                reached := "position";
                ended_at_limit := 1;
                exit;
            end if;
        end loop;
    end if;
    -- A reader from the start takes what there is; one that was on its way has missed events. Asked last,
    -- for what is to be dropped is announced before.
    if after_position > 0
        and after_position < (select l.kept_from - 1 from foldlog.log l where l.number = 0)
    then
        raise exception 'events behind position % were dropped with their segments', after_position
            using errcode = 'FL021', hint = 'Begin anew, from what is kept.';
    end if;
    return query select reached, ended_at_limit, null::bigint, null::uuid, null::integer, null::json,
        null::json, null::timestamptz;
end $$;

-- The streams of some ids. A stream keeps its name, and no other is ever given its id.
create function foldlog.stream_names_1(ids bigint[])
returns table (id bigint, tenant text, name text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return query select s.id, s.tenant, s.name from foldlog.stream s where s.id = any (ids);
end $$;

-- A stream beyond a version and a position, in the caller's snapshot. The first row's version and
-- position are the stream's last, and 0 for a stream that does not exist. The answer ends with the
-- event that reaches either limit, or with the stream. Its rows don't repeat the name of the stream.
-- The first row's payload holds the marks of a marked stream; past_marks reads what they hide, too.
create function foldlog.read_stream_1(
    in_tenant text, of_stream text, after_version bigint, after_position bigint, events_max integer,
    bytes_max bigint, past_marks boolean
) returns table (
    "position" bigint, version bigint, tenant text, stream text, event_id uuid, type_id integer,
    payload json, metadata json, recorded_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    width constant bigint := foldlog.event_segment_width();
    the_stream foldlog.stream;
    low bigint;
    high bigint;
    last_version bigint;
    last_position bigint;
    bytes bigint := 0;
    marks json;
begin
    select s.* into the_stream from foldlog.stream s
    where s.tenant = in_tenant and s.name = of_stream;
    -- Its last events are in the segment of known_position.
    low := the_stream.known_position / width * width;
    high := low + width;
    select e.version, e.position into last_version, last_position from foldlog.event e
    where e.stream_id = the_stream.id and e.position >= low and e.position < high
    order by e.version desc
    limit 1;
    last_version := coalesce(last_version, the_stream.known_version, 0);
    last_position := case last_version
        when 0 then 0 else coalesce(last_position, the_stream.known_position) end;
    if the_stream.state <> 0 or the_stream.first_version > 1 then
        marks := foldlog.stream_marks(the_stream);
        if not past_marks then
            after_version := greatest(after_version, foldlog.hidden_up_to(the_stream));
        end if;
    end if;
    return query
    select last_position, last_version, null::text, null::text, null::uuid, null::integer,
        marks, null::json, null::timestamptz;
    if last_version > after_version and last_position > after_position then
        for "position", version, event_id, type_id, payload, metadata, recorded_at in
            select e.position, e.version, e.event_id, e.type_id, e.payload, e.metadata, e.recorded_at
            from foldlog.event e
            where e.stream_id = the_stream.id and e.version > after_version
                and e.position > after_position
                and e.position >= the_stream.first_position
                and e.position < high
            order by e.version
            limit events_max
        loop
            return next;
            bytes := bytes + octet_length(payload::text) + coalesce(octet_length(metadata::text), 0);
            exit when bytes >= bytes_max;
        end loop;
    end if;
end $$;

-- The same below a version, from the last event down.
create function foldlog.read_stream_back_1(
    in_tenant text, of_stream text, before_version bigint, events_max integer, bytes_max bigint
) returns table (
    "position" bigint, version bigint, tenant text, stream text, event_id uuid, type_id integer,
    payload json, metadata json, recorded_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    width constant bigint := foldlog.event_segment_width();
    the_stream foldlog.stream;
    low bigint;
    high bigint;
    last_version bigint;
    last_position bigint;
    bytes bigint := 0;
    marks json;
    hidden bigint := 0;
begin
    select s.* into the_stream from foldlog.stream s
    where s.tenant = in_tenant and s.name = of_stream;
    low := the_stream.known_position / width * width;
    high := low + width;
    select e.version, e.position into last_version, last_position from foldlog.event e
    where e.stream_id = the_stream.id and e.position >= low and e.position < high
    order by e.version desc
    limit 1;
    last_version := coalesce(last_version, the_stream.known_version, 0);
    last_position := case last_version
        when 0 then 0 else coalesce(last_position, the_stream.known_position) end;
    if the_stream.state <> 0 or the_stream.first_version > 1 then
        marks := foldlog.stream_marks(the_stream);
        hidden := foldlog.hidden_up_to(the_stream);
    end if;
    return query
    select last_position, last_version, null::text, null::text, null::uuid, null::integer,
        marks, null::json, null::timestamptz;
    for "position", version, event_id, type_id, payload, metadata, recorded_at in
        select e.position, e.version, e.event_id, e.type_id, e.payload, e.metadata, e.recorded_at
        from foldlog.event e
        where e.stream_id = the_stream.id and e.version < before_version and e.version > hidden
            and e.position >= the_stream.first_position
            and e.position < high
        order by e.version desc
        limit events_max
    loop
        return next;
        bytes := bytes + octet_length(payload::text) + coalesce(octet_length(metadata::text), 0);
        exit when bytes >= bytes_max;
    end loop;
end $$;

-- Several streams beyond a version each, at most so many events and about so many bytes of each: the
-- loads of concurrent commands. Each row says where its stream ends; a stream without events beyond the
-- version has one row that holds no event. Rows come stream by stream, by version; those of a marked
-- stream hold its marks.
create function foldlog.read_streams_1(
    of_tenants text[], of_streams text[], after_versions bigint[], events_max integer,
    bytes_max bigint
) returns table (
    stream integer, end_version bigint, end_position bigint, "position" bigint, version bigint,
    event_id uuid, type_id integer, payload json, metadata json, recorded_at timestamptz, marks json
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    width constant bigint := foldlog.event_segment_width();
begin
    return query
    select w.stream::integer, coalesce(l.version, s.known_version, 0),
        case when coalesce(l.version, s.known_version, 0) = 0 then 0
            else coalesce(l.position, s.known_position) end,
        e.position, e.version, e.event_id, e.type_id, e.payload, e.metadata, e.recorded_at,
        case when s.state <> 0 or s.first_version > 1 then foldlog.stream_marks(s) end
    from unnest(of_tenants, of_streams, after_versions) with ordinality
        w(tenant, name, after_version, stream)
    left join foldlog.stream s on s.tenant = w.tenant and s.name = w.name
    left join lateral (
        select v.version, v.position from foldlog.event v
        where v.stream_id = s.id and v.position >= s.known_position / width * width
            and v.position < s.known_position / width * width + width
        order by v.version desc
        limit 1
    ) l on true
    left join lateral (
        select r.*
        from (
            select v.position, v.version, v.event_id, v.type_id, v.payload, v.metadata, v.recorded_at,
                -- Neither is fetched from where large values are kept.
                sum(octet_length(v.payload::text) + coalesce(octet_length(v.metadata::text), 0))
                    over (order by v.version rows between unbounded preceding and 1 preceding)
                    as bytes_before
            from foldlog.event v
            where v.stream_id = s.id and v.version > greatest(w.after_version,
                    case s.state when 2 then 9223372036854775807 else s.first_version - 1 end)
                and v.position >= s.first_position
                and v.position < s.known_position / width * width + width
            order by v.version
            limit events_max
        ) r
        where coalesce(r.bytes_before, 0) < bytes_max
    ) e on true;
end $$;

-- The receipt of a request, if it was made.
create function foldlog.read_receipt_1(in_tenant text, of_id uuid)
returns table (
    content_hash bytea, versions bigint[], first_positions bigint[], last_positions bigint[],
    reply json
)
language sql stable security definer
begin atomic
    select r.content_hash, r.versions, r.first_positions, r.last_positions, r.reply
    from foldlog.receipt r where r.tenant = in_tenant and r.id = of_id;
end;

revoke all on all functions in schema foldlog from public;
