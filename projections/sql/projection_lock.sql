-- projection_lock: one process at a time sets up or retires a projection, to the end of the
-- transaction. $1 name. The key is the hash of a text, below 2^56 and so no key of a store.
select pg_advisory_xact_lock(hashtextextended('foldlog projection ' || $1, 0) & 72057594037927935)
