-- projection_insert: makes a version of a projection live; one that was retired begins anew.
-- $1 name, $2 version, $3 definition. Locks: the caller holds projection_lock.
insert into foldlog.projection (name, version, definition, definition_hash, state)
values ($1, $2, $3, sha256(convert_to($3, 'UTF8')), 'live')
on conflict (name, version) do update
set definition = excluded.definition, definition_hash = excluded.definition_hash, state = 'live'
