-- settled_read: the settled position of a log.
-- $1 log, $2 the reader's position. Locks: none; reads pg_locks.
select foldlog.settled_1($1, $2)
