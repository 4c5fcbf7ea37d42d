-- stream_load: a stream, behind its snapshot if there is one that serves.
-- $1 tenant, $2 stream, $3 the version to go to, $4 hash of the schema, $5 limit in events, $6 in bytes.
-- Locks: none. Index: snapshot's primary key, (position) and (stream_id, version) of each segment.
select e.position, e.version, e.event_id, e.type_id, e.payload, e.metadata, e.recorded_at, e.is_snapshot
from foldlog.load_stream_1($1, $2, $3, $4, $5, $6) e
