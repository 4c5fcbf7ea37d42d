-- The store: which one this database holds, and the logs that live in it.

create schema if not exists foldlog;

-- One row. The number parts the lock keys of several stores in one database; the epoch counts
-- recoveries, so that a position given before one is never taken for a position given after it.
create table foldlog.store (
    number smallint primary key check (number between 1 and 127),
    id uuid not null,
    epoch integer not null default 1 check (epoch >= 1),
    created_at timestamptz not null default now()
);
create unique index store_is_one on foldlog.store ((true));
insert into foldlog.store (number, id) values (1, gen_random_uuid());

-- The store's number as a constant: it is in every lock key.
do $$
begin
    execute format(
        'create function foldlog.store_number() returns integer language sql immutable return %s',
        (select s.number from foldlog.store s));
end $$;

-- A log draws its positions from a sequence of its own. Its table is partitioned by position into
-- segments of a fixed width; segment k holds the positions from k * width up to (k + 1) * width. Tables
-- that belong to it by position are its companions, and have the same segments.
create table foldlog.log (
    number smallint primary key check (number between 0 and 4090),
    name text collate "C" not null unique,
    position_sequence text not null,
    segment_parent text not null,
    segment_unique text,
    segment_companions text[] not null default '{}',
    segment_width bigint not null check (segment_width >= 2),
    -- Segments below this position were dropped, or are about to be.
    kept_from bigint not null default 0
);

-- Our keys among PostgreSQL's advisory locks: store (7 bits), log (12 bits), value (44 bits).
-- Wire format between versions: never change it. Log 4095 is kept for tags; 4094 is for the creation
-- of streams, 4093 for receipts, 4092 for the making of segments, 4091 for imports.
create function foldlog.lock_key(store integer, of_log integer, value bigint) returns bigint
language sql immutable
begin atomic
    select (store::bigint << 56) | (of_log::bigint << 44) | (value & 17592186044415);
end;

-- Which of 4,096 buckets a name falls into, for locks on what has no row yet.
create function foldlog.lock_bucket(tenant text, name text) returns bigint
language sql immutable
begin atomic
    select hashtextextended(tenant, hashtextextended(name, 0)) & 4095;
end;
