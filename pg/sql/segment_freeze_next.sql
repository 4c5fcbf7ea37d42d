-- segment_freeze_next: the next closed segment to be frozen, and the statement; no row if there is none,
-- if this role is not the owner, or if another session is at it. $1 log, $2 lock_timeout from here on.
-- Locks: the session's, for the freezing of this log: it is let go of with the session, or by
-- segment_frozen. The key is that of the making of segments with a bit for freezing.
select n.number, n.statement, set_config('lock_timeout', $2, false)
from foldlog.segment_freeze_next_1($1) n
where pg_has_role(n.owner, 'usage') and pg_try_advisory_lock(
    foldlog.lock_key(foldlog.store_number(), 4092, 4096 + $1))
