-- plain_append_hot: the least that makes the rows of appends to one stream, each with a receipt.
-- $1 stream, $2 its version before, $3 ids, $4 content hashes, $5 payloads.
with appended as (
    insert into plain.event (
        position, stream_id, version, recorded_at, event_id, type_id, slice, payload, metadata)
    select nextval('plain.event_position'), $1::bigint, $2::bigint + e.place, clock_timestamp(), e.id,
        1, 0, e.payload::json, null
    from unnest($3::uuid[], $5::text[]) with ordinality e(id, payload, place)
    returning position, version, event_id
), answered as (
    insert into plain.receipt (
        tenant, id, content_hash, versions, first_positions, last_positions, reply)
    select '', a.event_id, ($4::bytea[])[(a.version - $2::bigint)::integer], array[a.version],
        array[a.position], array[a.position], null
    from appended a
)
update plain.stream s
set known_version = a.version, known_position = a.position
from (select max(a.version), max(a.position) from appended a) a(version, position)
where s.id = $1::bigint
