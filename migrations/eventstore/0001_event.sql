-- The event store: log 0.

create table foldlog.category (
    id integer generated always as identity primary key,
    name text collate "C" not null unique check (name <> '' and name not like '%-%')
);

-- Ids are drawn at random. Processes remember them: counted ones would be counted again by a server
-- that lost its last commits in a failover, and would stand for other types there. random() would
-- repeat itself in a session that calls setseed.
create table foldlog.event_type (
    id integer primary key
        default ('x' || left(gen_random_uuid()::text, 8))::bit(32)::bigint % 2147483647 + 1,
    category_id integer not null references foldlog.category,
    name text collate "C" not null check (name <> ''),
    schema_version integer not null default 1 check (schema_version >= 1),
    unique (category_id, name, schema_version)
);

-- A stream's row is its lock. It does not count: a row that each append updated would leave a dead
-- one behind each time, and under a snapshot that stays open those are never cleared away. It knows the
-- stream as it was when the row was last written, and that all events since are in the segment of
-- known_position, whose index of versions knows the rest: an append that enters a later segment
-- writes the row (docs/decisions/0011-stream-row.md).
create table foldlog.stream (
    id bigint generated always as identity primary key,
    tenant text collate "C" not null check (octet_length(tenant) <= 255),
    -- category-key, or no reader could make sense of it.
    name text collate "C" not null
        check (octet_length(name) <= 255 and name ~ '^[^-]+-.'),
    category_id integer not null,
    slice smallint not null check (slice between 0 and 1023),
    -- 0 open, 1 archived, 2 tombstoned.
    state smallint not null default 0,
    known_version bigint not null default 0,
    known_position bigint not null,
    -- Events before it were truncated: readers of the stream don't see them, the settled order does
    -- until their segment is dropped. A summary stands for all of them.
    first_version bigint not null default 1,
    first_is_summary boolean not null default false,
    -- None of its events is at a lower one.
    first_position bigint not null,
    created_at timestamptz not null default now(),
    unique (tenant, name)
);

create sequence foldlog.event_position as bigint start 1 increment 1 cache 1 no cycle;

-- No default for position: only the append function draws one. The payload is json, not jsonb:
-- what is read is byte for byte what was appended.
create table foldlog.event (
    position bigint not null,
    stream_id bigint not null,
    version bigint not null,
    recorded_at timestamptz not null,
    event_id uuid not null,
    key_id uuid,
    type_id integer not null,
    slice smallint not null,
    payload json not null,
    metadata json,
    primary key (position)
) partition by range (position);

do $$
begin
    if 'lz4' = any (select unnest(enumvals) from pg_settings where name = 'default_toast_compression')
    then
        alter table foldlog.event alter column payload set compression lz4;
        alter table foldlog.event alter column metadata set compression lz4;
    end if;
end $$;

create trigger insert_guard before insert on foldlog.event
    for each statement execute function foldlog.insert_guard('0');
alter table foldlog.event enable always trigger insert_guard;
create trigger keep_guard before update or delete or truncate on foldlog.event
    for each statement execute function foldlog.keep_guard();
alter table foldlog.event enable always trigger keep_guard;
-- A name is never given anew: a stream may be marked, and its row stays.
create trigger keep_guard before delete or truncate on foldlog.stream
    for each statement execute function foldlog.keep_guard();
alter table foldlog.stream enable always trigger keep_guard;

-- Tags of events, by which boundaries are drawn: name:value. Its index is the table, and knows the
-- type, too.
create table foldlog.event_tag (
    tenant text collate "C" not null,
    tag text collate "C" not null check (tag <> '' and octet_length(tag) <= 255),
    position bigint not null,
    type_id integer not null,
    primary key (tenant, tag, position) include (type_id)
) partition by range (position);

create trigger insert_guard before insert on foldlog.event_tag
    for each statement execute function foldlog.insert_guard('0');
alter table foldlog.event_tag enable always trigger insert_guard;
create trigger keep_guard before update or delete or truncate on foldlog.event_tag
    for each statement execute function foldlog.keep_guard();
alter table foldlog.event_tag enable always trigger keep_guard;

-- The answer to a repeated append, kept for ever.
create table foldlog.receipt (
    tenant text collate "C" not null,
    id uuid not null,
    content_hash bytea not null,
    versions bigint[] not null,
    first_positions bigint[] not null,
    last_positions bigint[] not null,
    reply json,
    recorded_at timestamptz not null default now(),
    primary key (tenant, id)
);
create trigger keep_guard before update or delete or truncate on foldlog.receipt
    for each statement execute function foldlog.keep_guard();
alter table foldlog.receipt enable always trigger keep_guard;

insert into foldlog.log
    (number, name, position_sequence, segment_parent, segment_unique, segment_companions,
        segment_width)
values (
    0, 'event', 'foldlog.event_position', 'foldlog.event', 'stream_id, version',
    '{foldlog.event_tag}',
    -- 2^26, unless the migration runs with a width of its own (tests use small ones).
    coalesce(nullif(current_setting('foldlog.event_segment_width', true), ''), '67108864')::bigint
);
select foldlog.segment_ensure_1(0);

-- The width of segments as a constant: each append computes with it.
do $$
begin
    execute format(
        'create function foldlog.event_segment_width() returns bigint language sql immutable'
        ' return %s::bigint', (select l.segment_width from foldlog.log l where l.number = 0));
end $$;

-- The ids of event types, made if they are missing. What an open transaction is making is waited
-- for; wait_ms bounds each wait (SQLSTATE 55P03 after it), null leaves lock_timeout alone. Processes
-- remember ids to append with, and readers their names, so one is on disk before anybody sees it: of
-- an id that a crash took back they would go on speaking, until an append is refused.
create function foldlog.event_type_register_1(
    wait_ms integer, in_category text, of_names text[], of_versions integer[]
) returns table (name text, schema_version integer, id integer)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    the_category integer;
    missing record;
begin
    if wait_ms is not null then
        perform set_config('lock_timeout', wait_ms::text, true);
    end if;
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'local', true);
    end if;
    -- Asked first: a category that is there would use up a number of the identity.
    insert into foldlog.category (name)
    select in_category
    where not exists (select from foldlog.category c where c.name = in_category)
    on conflict do nothing;
    select c.id into strict the_category from foldlog.category c where c.name = in_category;
    for missing in
        select n.name, n.schema_version
        from unnest(of_names, of_versions) n(name, schema_version)
        where not exists (
            select from foldlog.event_type t
            where t.category_id = the_category and t.name = n.name
                and t.schema_version = n.schema_version)
        order by 1, 2
    loop
        -- A conflict of the id and not of the name leaves no row: another id is drawn. Above read
        -- committed, a conflict with a row that the snapshot does not show raises 40001.
        loop
            insert into foldlog.event_type (category_id, name, schema_version)
            values (the_category, missing.name, missing.schema_version)
            on conflict do nothing;
            exit when exists (
                select from foldlog.event_type t
                where t.category_id = the_category and t.name = missing.name
                    and t.schema_version = missing.schema_version);
        end loop;
    end loop;
    return query
    select t.name, t.schema_version, t.id
    from foldlog.event_type t
    join unnest(of_names, of_versions) n(name, schema_version) using (name, schema_version)
    where t.category_id = the_category;
end $$;
