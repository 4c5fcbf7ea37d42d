-- segment_list: the segments of a log that are attached, by number. $1 log.
-- Locks: none that last. Index: none, the catalog is read.
select s.number, s.name, s.first_position, s.end_position, s.state, s.bytes, s.rows_about,
    s.frozen_at is not null as frozen
from foldlog.list_segments_1($1) s
