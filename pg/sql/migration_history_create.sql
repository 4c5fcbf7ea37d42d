-- migration_history_create: the history of foldlog's own migrations, apart from the application's.
-- No parameters. Locks: the caller holds migration_lock.
create schema if not exists foldlog;
create table if not exists foldlog.migration (
    set_name text collate "C" not null,
    number integer not null,
    name text not null,
    checksum bytea not null,
    floor integer not null,
    applied_at timestamptz not null default now(),
    primary key (set_name, number)
);
