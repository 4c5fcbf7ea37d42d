-- class_claim: claims a slice class if it is free.
-- $1 projection, $2 remainder, $3 owner, $4 lease in seconds.
update foldlog.checkpoint c
set owner = $3, epoch = c.epoch + 1, lease_until = clock_timestamp() + make_interval(secs => $4)
where c.projection = $1 and c.remainder = $2
    and (c.lease_until is null or c.lease_until < clock_timestamp())
returning c.epoch, c.position
