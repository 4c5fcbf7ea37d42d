-- checkpoint_commit: moves a checkpoint, last in the transaction that writes the read model. No row
-- means that another worker has claimed it: roll back.
-- $1 projection, $2 version, $3 modulus, $4 remainder, $5 old position, $6 epoch, $7 new position.
-- Locks: the row. Index: checkpoint_pkey.
update foldlog.checkpoint c
set position = $7, attempts = 0, stopped_at = null, stopped_error = null, updated_at = now()
where c.projection = $1 and c.version = $2 and c.modulus = $3 and c.remainder = $4
    and c.position = $5 and c.epoch = $6
