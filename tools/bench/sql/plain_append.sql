-- plain_append: the least that makes the rows of appends to several streams.
-- $1 streams, $2 their versions after it, $3 ids, $4 payloads.
with appended as (
    insert into plain.event (
        position, stream_id, version, recorded_at, event_id, type_id, slice, payload, metadata)
    select nextval('plain.event_position'), e.stream_id, e.version, clock_timestamp(), e.id, 1, 0,
        e.payload::json, null
    from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::text[])
        e(stream_id, version, id, payload)
    returning position, stream_id, version
)
update plain.stream s
set known_version = a.version, known_position = a.position
from appended a
where s.id = a.stream_id
