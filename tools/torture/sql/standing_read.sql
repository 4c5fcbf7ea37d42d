-- standing_read: the rows of streams that are not as they began.
-- No parameters. locks: none. index: none.
select s.name, s.state, s.first_version, s.first_is_summary
from foldlog.stream s
where s.state <> 0 or s.first_version <> 1 or s.first_is_summary
