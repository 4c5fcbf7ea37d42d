-- Snapshots: states that were stored after some of their events, so that a load folds only the rest.
-- Nothing rests on them: the table may be emptied at any time.

-- A stream has one of each schema of a state, so that two versions of a program don't take turns at
-- throwing away what the other one needs. No foreign key: a snapshot never locks the row of a stream.
create table foldlog.snapshot (
    stream_id bigint not null,
    -- Of the state's schema, the name of its aggregate and what its author adds.
    schema_hash bytea not null,
    aggregate text not null,
    -- The last event in it, and where that stands.
    version bigint not null check (version > 0),
    position bigint not null,
    state json not null,
    taken_at timestamptz not null,
    primary key (stream_id, schema_hash)
);

do $$
begin
    if 'lz4' = any (select unnest(enumvals) from pg_settings where name = 'default_toast_compression')
    then
        alter table foldlog.snapshot alter column state set compression lz4;
    end if;
end $$;

-- The event at a position, found by it alone: without statistics the planner would as soon read a whole
-- stream to see whether it has the event. Not inlined, for the same reason.
create function foldlog.event_at(in_position bigint) returns table (stream_id bigint, version bigint)
language plpgsql stable rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select e.stream_id, e.version from foldlog.event e where e.position = in_position;
end $$;

-- Whether a stream goes on behind a snapshot: it has the event that the snapshot says is its last one, or
-- had it in a segment that was dropped.
create function foldlog.snapshot_holds(of_id bigint, of_version bigint, of_position bigint) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
            select from foldlog.event_at(of_position) e
            where e.stream_id = of_id and e.version = of_version)
        or of_position < (select l.kept_from from foldlog.log l where l.number = 0);
end $$;

-- Keeps a snapshot, if the stream has the event that it says is its last one. A newer one stays, unless
-- the stream does not know that one's last event: it was brought back from elsewhere. Younger than a
-- minute it may be of an append that this statement does not see yet.
create function foldlog.snapshot_keep_1(
    in_tenant text, of_stream text, in_aggregate text, in_schema_hash bytea, in_version bigint,
    in_position bigint, in_state json
) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    the_stream bigint;
    kept boolean;
begin
    select s.id into the_stream
    from foldlog.stream s
    join foldlog.event_at(in_position) e on e.stream_id = s.id and e.version = in_version
    where s.tenant = in_tenant and s.name = of_stream and s.state <> 2;
    if not found then
        return false;
    end if;
    insert into foldlog.snapshot as k
        (stream_id, schema_hash, aggregate, version, position, state, taken_at)
    values (the_stream, in_schema_hash, in_aggregate, in_version, in_position, in_state,
        clock_timestamp())
    on conflict (stream_id, schema_hash) do update
    set version = excluded.version, position = excluded.position, state = excluded.state,
        taken_at = excluded.taken_at
    where k.version <= excluded.version
        or k.taken_at < excluded.taken_at - interval '1 minute'
            and not foldlog.snapshot_holds(k.stream_id, k.version, k.position);
    kept := found;
    -- Those of programs that have not run for a week.
    delete from foldlog.snapshot k
    where k.stream_id = the_stream and k.aggregate = in_aggregate
        and k.schema_hash <> in_schema_hash and k.taken_at < clock_timestamp() - interval '7 days';
    return kept;
end $$;

-- A stream for an aggregate: the rows of read_stream_1, from the beginning or behind a snapshot. A
-- snapshot is a row before the first: the place of its last event, and its state as the payload. It is of
-- that schema, not beyond a version, not before the event that a cut stream begins with but one, not
-- larger than a page, and its last event is the stream's own. A tombstoned stream has none.
create function foldlog.load_stream_1(
    in_tenant text, of_stream text, to_version bigint, in_schema_hash bytea, events_max integer,
    bytes_max bigint
) returns table (
    "position" bigint, version bigint, tenant text, stream text, event_id uuid, type_id integer,
    payload json, metadata json, recorded_at timestamptz, is_snapshot boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
begin
    select k.position, k.version, k.state, true
    into "position", version, payload, is_snapshot
    from foldlog.stream s
    join foldlog.snapshot k on k.stream_id = s.id and k.schema_hash = in_schema_hash
    where s.tenant = in_tenant and s.name = of_stream and s.state <> 2
        and k.version between s.first_version - 1 and to_version
        and octet_length(k.state::text) <= bytes_max
        and foldlog.snapshot_holds(k.stream_id, k.version, k.position);
    if found then
        return next;
    end if;
    return query
    select e.position, e.version, e.tenant, e.stream, e.event_id, e.type_id, e.payload, e.metadata,
        e.recorded_at, false
    from foldlog.read_stream_1(in_tenant, of_stream, coalesce(load_stream_1.version, 0), 0,
        events_max, bytes_max, false) e;
end $$;

-- Several streams, each beyond a version or behind a snapshot that lies beyond it: the rows of
-- read_streams_1. Snapshots come first, as in load_stream_1; a stream without a schema has none.
create function foldlog.load_streams_1(
    of_tenants text[], of_streams text[], after_versions bigint[], schema_hashes bytea[],
    events_max integer, bytes_max bigint
) returns table (
    stream integer, end_version bigint, end_position bigint, "position" bigint, version bigint,
    event_id uuid, type_id integer, payload json, metadata json, recorded_at timestamptz, marks json,
    is_snapshot boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    from_versions bigint[] := after_versions;
begin
    for stream, "position", version, payload, is_snapshot in
        select w.stream::integer, k.position, k.version, k.state, true
        from unnest(of_tenants, of_streams, after_versions, schema_hashes) with ordinality
            w(tenant, name, after_version, schema_hash, stream)
        join foldlog.stream s on s.tenant = w.tenant and s.name = w.name
        join foldlog.snapshot k on k.stream_id = s.id and k.schema_hash = w.schema_hash
        where s.state <> 2 and k.version > w.after_version and k.version >= s.first_version - 1
            and octet_length(k.state::text) <= bytes_max
            and foldlog.snapshot_holds(k.stream_id, k.version, k.position)
    loop
        from_versions[stream] := version;
        return next;
    end loop;
    return query
    select r.*, false
    from foldlog.read_streams_1(of_tenants, of_streams, from_versions, events_max, bytes_max) r;
end $$;

revoke all on all functions in schema foldlog from public;
