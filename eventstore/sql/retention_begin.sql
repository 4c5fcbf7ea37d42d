-- retention_begin: announces which segments are to be dropped, or says what is in the way.
-- $1 position, $2 past readers, $3 what is kept too, $4 lock_timeout from here on.
-- Locks: that of the making of segments, the log's row. Index: none; without $3 the segments are read.
select b.outcome, b.kept_from, b.name, b.at_position, set_config('lock_timeout', $4, false)
from foldlog.retention_begin_1($1, $2, $3) b
