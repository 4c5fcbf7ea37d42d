-- streams_read: several streams beyond a version each, so many events and about so many bytes of each;
-- every row says where its stream ends, and one without an event is a stream without any.
-- $1 tenants, $2 streams, $3 versions, $4 most events, $5 most bytes.
-- Locks: none. Index: (stream_id, version) of each segment.
select r.stream, r.end_version, r.end_position, r.position, r.version, r.event_id, r.type_id,
    r.payload, r.metadata, r.recorded_at, r.marks
from foldlog.read_streams_1($1, $2, $3, $4, $5) r
