-- stream_read_back: a stream below a version, from its end down; the first row says where it ends.
-- $1 tenant, $2 stream, $3 version, $4 limit in events, $5 in bytes.
-- Locks: none. Index: (stream_id, version) of each segment.
select e.position, e.version, e.tenant, e.stream, e.event_id, e.type_id, e.payload, e.metadata,
    (extract(epoch from e.recorded_at) * 1000000)::bigint as recorded_us
from foldlog.read_stream_back_1($1, $2, $3, $4, $5) e
