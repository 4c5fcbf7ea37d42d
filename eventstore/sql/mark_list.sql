-- mark_list: every mark that a stream was given, in order.
-- $1 tenant, $2 stream.
-- Locks: none. Index: stream_tenant_name_key, stream_mark_pkey.
select m.mark, m.first_version, m.first_is_summary, m.reason, m.marked_by,
    (extract(epoch from m.marked_at) * 1000000)::bigint as marked_us
from foldlog.list_marks_1($1, $2) m
