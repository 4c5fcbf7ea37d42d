-- segment_frozen: records that a segment was frozen in whole, and lets the next one go on. $1 log, $2
-- number. Locks: the row. Index: segment_pkey.
select foldlog.segment_frozen_1($1, $2)
from pg_advisory_unlock(foldlog.lock_key(foldlog.store_number(), 4092, 4096 + $1))
