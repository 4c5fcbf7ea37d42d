-- settled_holder_read: who holds the lowest bound of a log.
-- $1 log. Locks: none; reads pg_locks, pg_stat_activity, pg_prepared_xacts.
select h.bound, h.pid, h.gid, h.age_s, h.application, h.waits
from foldlog.settled_holder_1($1) h
