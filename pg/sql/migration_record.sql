-- migration_record: notes a migration as applied.
-- $1 set, $2 number, $3 name, $4 checksum, $5 floor. Locks: the caller holds migration_lock.
insert into foldlog.migration (set_name, number, name, checksum, floor)
values ($1, $2, $3, $4, $5)
