-- checkpoint_insert: a row for each slice class, at the beginning of the log, and none of another
-- division. $1 projection, $2 version, $3 modulus. Epochs begin at the time in milliseconds, so that
-- a worker of rows that were thrown away never matches a new one.
-- Locks: the caller holds projection_lock. Index: checkpoint_pkey.
with other as (
    delete from foldlog.checkpoint c
    where c.projection = $1 and c.version = $2 and c.modulus <> $3
)
insert into foldlog.checkpoint (projection, version, modulus, remainder, epoch)
select $1, $2, $3::smallint, r::smallint, (extract(epoch from clock_timestamp()) * 1000)::bigint
from generate_series(0, $3 - 1) r
on conflict do nothing
