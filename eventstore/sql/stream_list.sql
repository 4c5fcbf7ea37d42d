-- stream_list: the streams of a tenant and category behind a name, by name.
-- $1 tenant, $2 category, $3 what their keys begin with, $4 the name, $5 limit,
-- $6 closed ones too.
-- Locks: none. Index: (tenant, name) of the streams, (stream_id, version) of each segment.
select l.name, l.slice, l.state, l.version, l.first_position, l.last_position,
    (extract(epoch from l.created_at) * 1000000)::bigint as created_us,
    l.mark, l.first_version, l.first_is_summary, l.reason, l.marked_by,
    (extract(epoch from l.marked_at) * 1000000)::bigint as marked_us
from foldlog.list_streams_1($1, $2, $3, $4, $5, $6) l
