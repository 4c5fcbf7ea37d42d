-- checkpoint_renew: prolongs the leases of a process, in one statement.
-- $1 owner, $2 lease in seconds, $3-$7 what it works on: projections, versions, moduli, remainders,
-- epochs. Answers with what it still owns; a class it owns and does not work on runs out.
-- Locks: the rows. Index: checkpoint_pkey.
update foldlog.checkpoint c
set lease_until = clock_timestamp() + make_interval(secs => $2)
from unnest($3::text[], $4::integer[], $5::smallint[], $6::smallint[], $7::bigint[])
    w(projection, version, modulus, remainder, epoch)
where c.owner = $1 and c.projection = w.projection and c.version = w.version
    and c.modulus = w.modulus and c.remainder = w.remainder and c.epoch = w.epoch
returning c.projection, c.version, c.modulus, c.remainder, c.epoch
