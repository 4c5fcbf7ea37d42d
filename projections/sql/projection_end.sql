-- projection_end: ends the versions of a projection below one, and fences their workers.
-- $1 name, $2 first version that stays (a bigint: it may be beyond all), $3 the state of the others.
-- Locks: the rows; the caller holds projection_lock. Index: projection_pkey, checkpoint_pkey.
with ended as (
    update foldlog.projection p set state = $3
    where p.name = $1 and p.version < $2 and p.state in ('building', 'live')
    returning p.name, p.version
)
update foldlog.checkpoint c
set epoch = c.epoch + 1, owner = null, lease_until = null, position = 0, attempts = 0,
    stopped_at = null, stopped_error = null
from ended e
where c.projection = e.name and c.version = e.version
