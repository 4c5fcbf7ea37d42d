-- What there is: streams, categories, and the types of their events.

-- A stream as it stands in the caller's snapshot. No row if it has no event: an append that was
-- refused may have left its row behind. The mark is the last one.
create function foldlog.stream_info_1(in_tenant text, of_stream text)
returns table (
    name text, slice smallint, state smallint, version bigint, first_position bigint,
    last_position bigint, created_at timestamptz, mark text, first_version bigint,
    first_is_summary boolean, reason text, marked_by text, marked_at timestamptz
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
    select s.name, s.slice, s.state, coalesce(l.version, s.known_version), f.position,
        coalesce(l.position, s.known_position), s.created_at, m.mark, s.first_version,
        s.first_is_summary, m.reason, m.marked_by, m.marked_at
    from foldlog.stream s
    left join lateral (
        select e.version, e.position from foldlog.event e
        where e.stream_id = s.id and e.position >= s.known_position / width * width
            and e.position < s.known_position / width * width + width
        order by e.version desc
        limit 1
    ) l on true
    left join lateral (
        select e.position from foldlog.event e
        where e.stream_id = s.id and e.position >= s.first_position
            and e.version >= s.first_version
            and e.position < s.known_position / width * width + width
        order by e.version
        limit 1
    ) f on true
    left join lateral (
        select k.mark, k.reason, k.marked_by, k.marked_at from foldlog.stream_mark k
        where k.stream_id = s.id
        order by k.number desc
        limit 1
    ) m on true
    where s.tenant = in_tenant and s.name = of_stream and coalesce(l.version, s.known_version) > 0;
end $$;

-- The streams of a tenant and category whose keys begin with a text, by name, behind a name: at most
-- so many. The same rows as of stream_info_1.
create function foldlog.list_streams_1(
    in_tenant text, of_category text, key_prefix text, after_name text, streams_max integer,
    closed_too boolean
) returns table (
    name text, slice smallint, state smallint, version bigint, first_position bigint,
    last_position bigint, created_at timestamptz, mark text, first_version bigint,
    first_is_summary boolean, reason text, marked_by text, marked_at timestamptz
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
    prefix constant text := of_category || '-' || key_prefix;
begin
    for name, slice, state, version, first_position, last_position, created_at, mark, first_version,
        first_is_summary, reason, marked_by, marked_at in
        select s.name, s.slice, s.state, coalesce(l.version, s.known_version), f.position,
            coalesce(l.position, s.known_position), s.created_at, m.mark, s.first_version,
            s.first_is_summary, m.reason, m.marked_by, m.marked_at
        from foldlog.stream s
        left join lateral (
            select e.version, e.position from foldlog.event e
            where e.stream_id = s.id and e.position >= s.known_position / width * width
                and e.position < s.known_position / width * width + width
            order by e.version desc
            limit 1
        ) l on true
        left join lateral (
            select e.position from foldlog.event e
            where e.stream_id = s.id and e.position >= s.first_position
                and e.version >= s.first_version
                and e.position < s.known_position / width * width + width
            order by e.version
            limit 1
        ) f on true
        left join lateral (
            select k.mark, k.reason, k.marked_by, k.marked_at from foldlog.stream_mark k
            where k.stream_id = s.id
            order by k.number desc
            limit 1
        ) m on true
        -- The full stop comes next after the hyphen: no category's streams lie between.
        where s.tenant = in_tenant and s.name >= prefix and s.name < of_category || '.'
            and s.name > after_name and coalesce(l.version, s.known_version) > 0
            and (s.state = 0 or closed_too)
        order by s.name
        limit streams_max
    loop
        -- In the order of bytes, whatever begins with the prefix stands together.
        exit when not starts_with(name, prefix);
        return next;
    end loop;
end $$;

-- Every category that was registered, with the types of its events.
create function foldlog.list_categories_1()
returns table (category text, kind text, schema_version integer)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select c.name, t.name, t.schema_version
    from foldlog.category c
    left join foldlog.event_type t on t.category_id = c.id
    order by c.name, t.name, t.schema_version;
end $$;

revoke all on all functions in schema foldlog from public;
