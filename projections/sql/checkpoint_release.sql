-- checkpoint_release: lets go of a slice class, so that another process need not wait for its lease.
-- $1 projection, $2 version, $3 modulus, $4 remainder, $5 epoch, $6 where it stopped for good, or
-- null, $7 why. Locks: the row. Index: checkpoint_pkey.
update foldlog.checkpoint c
set owner = null, lease_until = null,
    attempts = case when $6::bigint is null then 0 else c.attempts end,
    stopped_at = coalesce($6, c.stopped_at), stopped_error = coalesce($7, c.stopped_error)
where c.projection = $1 and c.version = $2 and c.modulus = $3 and c.remainder = $4
    and c.epoch = $5
