-- all_read: the settled order beyond a position; the last row says how far the answer reaches.
-- $1 position, $2 limit in events, $3 in bytes, $4 modulus and $5 remainder of the slices,
-- $6 categories, $7 types.
-- Locks: none. Index: the primary key of each segment.
select e.position, e.version, e.event_id, e.type_id, e.payload, e.metadata, e.recorded_at, e.stream_id
from foldlog.read_all_1($1, $2, $3, $4, $5, $6, $7) e
