-- plain_append_one: the least that makes the rows of an append of one event.
-- $1 stream, $2 its version after it, $3 id, $4 payload.
with appended as (
    insert into plain.event (
        position, stream_id, version, recorded_at, event_id, type_id, slice, payload, metadata)
    values (nextval('plain.event_position'), $1::bigint, $2::bigint, clock_timestamp(), $3::uuid, 1,
        0, $4::text::json, null)
    returning position
)
update plain.stream s
set known_version = $2::bigint, known_position = a.position
from appended a
where s.id = $1::bigint
