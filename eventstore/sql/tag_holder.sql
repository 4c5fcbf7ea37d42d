-- tag_holder: which process holds the lock of a tag, or of all events.
-- $1 tenant, $2 tags.
-- Locks: none. Index: none.
select h.pid from foldlog.tag_holder_1($1, $2) h(pid)
