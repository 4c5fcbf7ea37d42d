-- stream_info: what is known of one stream; no row for one without events.
-- $1 tenant, $2 stream.
-- Locks: none. Index: (tenant, name) of the streams, (stream_id, version) of each segment.
select i.name, i.slice, i.state, i.version, i.first_position, i.last_position,
    (extract(epoch from i.created_at) * 1000000)::bigint as created_us,
    i.mark, i.first_version, i.first_is_summary, i.reason, i.marked_by,
    (extract(epoch from i.marked_at) * 1000000)::bigint as marked_us
from foldlog.stream_info_1($1, $2) i
