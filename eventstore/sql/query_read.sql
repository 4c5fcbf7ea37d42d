-- query_read: what matches a query beyond a position, and which of its items; the last row says how far
-- the answer reaches, and its version 1 that there is more, 2 that too much is not settled yet.
-- $1 tenant, $2 position, $3 limit in events, $4 in bytes, $5 types and $6 tags of each item.
-- Locks: none. Index: event_tag's primary key, and the event's; by type alone, the rows of events.
select e.position, e.version, e.event_id, e.type_id, e.payload, e.metadata, e.recorded_at, e.stream, e.matched
from foldlog.read_query_1($1, $2, $3, $4, $5, $6) e
