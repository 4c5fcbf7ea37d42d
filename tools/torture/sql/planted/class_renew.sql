-- class_renew: prolongs a lease.
-- $1 projection, $2 remainder, $3 epoch, $4 lease in seconds.
update foldlog.checkpoint c
set lease_until = clock_timestamp() + make_interval(secs => $4)
where c.projection = $1 and c.remainder = $2 and c.epoch = $3
