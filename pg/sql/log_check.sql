-- log_check: what would make the positions of a log unsound, in words; null if nothing does.
-- $1 log. Locks: none. Index: the primary key of the highest segment.
select foldlog.log_check_1($1)
