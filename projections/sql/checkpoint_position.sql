-- checkpoint_position: where a claimed slice class stands; no row if it was claimed by another.
-- $1 projection, $2 version, $3 modulus, $4 remainder, $5 epoch. Locks: none.
-- Index: checkpoint_pkey.
select c.position
from foldlog.checkpoint c
where c.projection = $1 and c.version = $2 and c.modulus = $3 and c.remainder = $4
    and c.epoch = $5
