-- stream_read: a stream beyond a version and a position; the first row says where it ends.
-- $1 tenant, $2 stream, $3 version, $4 position, $5 limit in events, $6 in bytes,
-- $7 whether marks are passed over. The first row's payload is the marks of a marked stream.
-- Locks: none. Index: (stream_id, version) of each segment.
select e.position, e.version, e.event_id, e.type_id, e.payload, e.metadata, e.recorded_at
from foldlog.read_stream_1($1, $2, $3, $4, $5, $6, $7) e
