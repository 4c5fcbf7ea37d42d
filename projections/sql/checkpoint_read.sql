-- checkpoint_read: the slice classes of live projections.
-- $1 projection, or null for all. Locks: none. Index: checkpoint_pkey.
select c.projection, c.version, c.modulus, c.remainder, c.position, c.epoch, c.owner,
    c.lease_until is not null and c.lease_until >= clock_timestamp() as owned,
    c.stopped_at, c.stopped_error
from foldlog.checkpoint c
join foldlog.projection p on p.name = c.projection and p.version = c.version
where p.state in ('building', 'live') and ($1::text is null or c.projection = $1)
order by c.projection, c.version, c.modulus, c.remainder
