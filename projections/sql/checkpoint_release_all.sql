-- checkpoint_release_all: lets go of whatever a process still owns.
-- $1 owner. Locks: the rows. Reads every checkpoint: once, at the end of a process.
update foldlog.checkpoint c
set owner = null, lease_until = null
where c.owner = $1
