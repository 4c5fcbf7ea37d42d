-- segment_ensure: makes the current segment of a log and the two after it.
-- $1 log. Locks: a log's segment lock, and share update exclusive on its parent table.
select foldlog.segment_ensure_1($1)
