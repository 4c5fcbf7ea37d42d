-- stream_read_back: a stream below a version, from its end down; the first row says where it ends.
-- $1 tenant, $2 stream, $3 version, $4 limit in events, $5 in bytes.
-- Locks: none. Index: (stream_id, version) of each segment.
select e.position, e.version, e.event_id, e.type_id, e.payload, e.metadata, e.recorded_at
from foldlog.read_stream_back_1($1, $2, $3, $4, $5) e
