-- Projections: what is kept, how far it is, and who works on it.

create schema if not exists foldlog_view;
create schema if not exists foldlog_view_next;

create table foldlog.projection (
    name text collate "C" not null check (name <> ''),
    version integer not null check (version >= 1),
    definition text not null,
    definition_hash bytea not null,
    state text not null check (state in ('building', 'live', 'superseded', 'retired')),
    created_at timestamptz not null default now(),
    primary key (name, version)
);

-- One row per slice class: the slices s with s mod modulus = remainder. Everything of the class up to
-- position is in the read model. A write names the epoch it claimed, so that a worker whose lease ran
-- out can't commit: owner and lease_until only keep two from working on the same. Where the view
-- stopped for good, stopped_at names the position of the event and stopped_error says why.
create table foldlog.checkpoint (
    projection text collate "C" not null,
    version integer not null,
    modulus smallint not null check (modulus in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)),
    remainder smallint not null check (remainder >= 0 and remainder < modulus),
    position bigint not null default 0,
    epoch bigint not null default 0,
    owner text,
    lease_until timestamptz,
    attempts integer not null default 0,
    stopped_at bigint,
    stopped_error text,
    updated_at timestamptz not null default now(),
    primary key (projection, version, modulus, remainder),
    foreign key (projection, version) references foldlog.projection
) with (fillfactor = 50);
