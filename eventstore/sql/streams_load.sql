-- streams_load: as streams_read, behind the snapshots that serve; those come first.
-- $1 tenants, $2 streams, $3 versions, $4 hashes of schemas, null where none is used, $5 most events,
-- $6 most bytes.
-- Locks: none. Index: snapshot's primary key, (position) and (stream_id, version) of each segment.
select r.stream, r.end_version, r.end_position, r.position, r.version, r.event_id, r.type_id,
    r.payload, r.metadata, r.recorded_at, r.marks, r.is_snapshot
from foldlog.load_streams_1($1, $2, $3, $4, $5, $6) r
