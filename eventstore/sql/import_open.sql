-- import_open: how far an import has come, and its last event as the store holds it.
-- $1 name. No row values if another session has it open.
-- Locks: the import's name, to the end of the session. Index: import_pkey, the segment's of positions.
select i.done, i.digest, i.begun_us, i.width, i.last_tenant, i.last_stream, i.last_version,
    i.last_event_id, i.last_position
from foldlog.import_open_1($1) i
