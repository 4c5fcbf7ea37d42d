-- checkpoint_claim: takes free slice classes of a projection, at most so many.
-- $1 projection, $2 version, $3 owner, $4 lease in seconds, $5 how many, $6 whether stopped ones too.
-- The claim counts as an attempt until its first commit. Locks: the rows, passing over those that
-- another process is claiming. Index: checkpoint_pkey. Materialized: read again for each row of a
-- nested loop, the limited and locking part would pass over what this statement has just updated,
-- and take more than it may.
with free as materialized (
    select f.projection, f.version, f.modulus, f.remainder
    from foldlog.checkpoint f
    where f.projection = $1 and f.version = $2
        and (f.lease_until is null or f.lease_until < clock_timestamp())
        and ($6 or f.stopped_at is null)
        and exists (
            select from foldlog.projection p
            where p.name = f.projection and p.version = f.version and p.state in ('building', 'live'))
    order by f.remainder
    limit $5
    for no key update skip locked
)
update foldlog.checkpoint c
set owner = $3, epoch = c.epoch + 1, attempts = c.attempts + 1,
    lease_until = clock_timestamp() + make_interval(secs => $4)
from free f
where c.projection = f.projection and c.version = f.version and c.modulus = f.modulus
    and c.remainder = f.remainder
returning c.modulus, c.remainder, c.position, c.epoch, c.attempts
