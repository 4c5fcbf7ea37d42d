-- snapshot_keep: keeps the state of a stream, unless there is a newer one. A snapshot that a crash takes
-- back is no loss: the commit does not wait for the disk. Only outside of a transaction.
-- $1 tenant, $2 stream, $3 aggregate, $4 hash of the schema, $5 version, $6 position, $7 state as
-- text.
-- Locks: the snapshot's row. Index: snapshot's primary key, (tenant, name) of the streams, (position) of
-- a segment.
select foldlog.snapshot_keep_1($1, $2, $3, $4, $5, $6, $7::text::json) as kept
from (select set_config('synchronous_commit', 'off', true)) s
