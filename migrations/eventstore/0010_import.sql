-- Bulk import: events with the versions, times and ids of their history. A batch is one transaction:
-- import_batch_1 locks the streams, publishes the bound and draws the positions; the rows come by
-- COPY; import_batch_end_1 brings the streams' rows up to date and counts the batch. So what is stored
-- and how far the import says it came change together.

-- How far each import has come. The digest is of all its events up to there, each with its stream,
-- type, version, time, id and content: an input that differs anywhere before is told from one that is
-- the same.
create table foldlog.import (
    name text collate "C" primary key check (name <> '' and octet_length(name) <= 255),
    done bigint not null default 0,
    digest bytea not null default '\x',
    last_position bigint,
    begun_at timestamptz not null default now(),
    batch_at timestamptz,
    finished_at timestamptz
);

-- Opens an import for this session, and answers how far it has come, with the last event as the store
-- holds it now; null if another session has it open. The session keeps a lock on the name until it
-- ends: batches of two sessions would mix.
create function foldlog.import_open_1(
    of_name text, out done bigint, out digest bytea, out begun_us bigint, out width bigint,
    out last_tenant text, out last_stream text, out last_version bigint, out last_event_id uuid,
    out last_position bigint
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if not pg_try_advisory_lock(foldlog.import_key(of_name)) then
        return;
    end if;
    insert into foldlog.import (name) values (of_name) on conflict do nothing;
    select i.done, i.digest, (extract(epoch from i.begun_at) * 1000000)::bigint, i.last_position
    into strict done, digest, begun_us, last_position
    from foldlog.import i where i.name = of_name;
    width := foldlog.event_segment_width();
    select s.tenant, s.name, e.version, e.event_id
    into last_tenant, last_stream, last_version, last_event_id
    from foldlog.event e
    join foldlog.stream s on s.id = e.stream_id
    where e.position = import_open_1.last_position;
end $$;

-- The key of an import's lock, among those of log 4091.
create function foldlog.import_key(of_name text) returns bigint
language sql immutable
begin atomic
    select foldlog.lock_key(foldlog.store_number(), 4091, hashtextextended(of_name, 0));
end;

-- The begin of a batch of an open import that has done so many events before it: locks its streams,
-- makes those that begin with it, and draws so many positions, unless a stream is at another version.
-- The tags are those of its events, each once; their locks are had by then, too. Answers per stream its
-- row, the version it is at and its state; no positions if one differs or is closed; no rows if the
-- import is elsewhere by now. The order of the statements is that of append_1.
create function foldlog.import_batch_1(
    of_import text, at_done bigint,
    of_tenants text[], of_names text[], at_versions bigint[],
    of_types integer[], of_categories text[], tag_tenants text[], of_tags text[], events integer,
    out row_ids bigint[], out versions bigint[], out states smallint[], out positions bigint[]
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    streams constant integer := cardinality(of_names);
    requests constant integer[] := array(select n from generate_series(1, streams) n);
    known bigint[] := array_fill(0::bigint, array[streams]);
    line record;
    keys bigint[];
    bound bigint;
    last_position bigint;
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise exception 'events can''t be imported at isolation level %',
            current_setting('transaction_isolation') using errcode = 'FL001';
    end if;
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'local', true);
    end if;
    perform from foldlog.import i where i.name = of_import and i.done = at_done for no key update;
    if not found then
        return;
    end if;
    if exists (
        select from unnest(of_types, of_categories) t(id, category)
        where not exists (
            select from foldlog.event_type y
            join foldlog.category c on c.id = y.category_id
            where y.id = t.id and c.name = t.category)
    ) then
        perform foldlog.raise_unknown_type();
    end if;
    if 0 = any (at_versions) then
        perform foldlog.stream_create(false, of_tenants, requests, of_names, at_versions);
    end if;
    row_ids := known;
    versions := known;
    states := array_fill(0::smallint, array[streams]);
    for line in select l.* from foldlog.stream_lock(false, of_tenants, requests, of_names) l
    loop
        row_ids[line.entries[1]] := line.id;
        versions[line.entries[1]] := line.known_version;
        known[line.entries[1]] := line.known_position;
        states[line.entries[1]] := line.state;
    end loop;
    select e.versions, e.last_position into versions, last_position
    from foldlog.stream_ends(row_ids, versions, known, foldlog.event_segment_width()) e;
    if versions <> at_versions or 0 <> any (states) then
        return;
    end if;
    -- As any append, so that a condition on tags, or on all events, is exact: its holder keeps these.
    keys := array(
        select foldlog.tag_key(foldlog.lock_bucket(t.tenant, t.tag))
        from unnest(tag_tenants, of_tags) t(tenant, tag)) || foldlog.tag_key(4096);
    if not foldlog.keys_lock(keys, array_fill(false, array[cardinality(keys)]), null) then
        raise exception 'a tag of the batch is held by a decision that is still open'
            using errcode = '55P03';
    end if;
    bound := foldlog.bound_publish(0, 'foldlog.event_position');
    positions := array(
        select nextval('foldlog.event_position') from generate_series(1, events));
    if positions[1] <= greatest(bound, last_position) then
        perform foldlog.raise_drawn_again(positions[1], bound, last_position);
    end if;
end $$;

-- The end of a batch, after its rows: what entered a later segment, and how far the import is.
create function foldlog.import_batch_end_1(
    of_import text, row_ids bigint[], at_versions bigint[], at_positions bigint[],
    new_done bigint, new_digest bytea, new_position bigint
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    width constant bigint := foldlog.event_segment_width();
begin
    update foldlog.stream s
    set known_version = g.version, known_position = g.position
    from unnest(row_ids, at_versions, at_positions) g(id, version, position)
    where s.id = g.id and g.position / width > s.known_position / width;
    update foldlog.import i
    set done = new_done, digest = new_digest, last_position = new_position,
        batch_at = clock_timestamp(), finished_at = null
    where i.name = of_import;
end $$;

-- Marks an import whose input has come to its end.
create function foldlog.import_finish_1(of_name text) returns void
language sql volatile security definer
begin atomic
    update foldlog.import i set finished_at = clock_timestamp()
    where i.name = of_name and i.finished_at is null;
end;

revoke all on all functions in schema foldlog from public;
