-- mark_read: all marks with their streams, in the order of each stream.
-- No parameters. locks: none. index: none.
select s.name, m.number, m.mark, m.first_version, m.first_is_summary, m.reason
from foldlog.stream_mark m join foldlog.stream s on s.id = m.stream_id
order by m.stream_id, m.number
