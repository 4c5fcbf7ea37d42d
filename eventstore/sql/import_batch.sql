-- import_batch: the streams of a batch, and positions for its events.
-- $1 import, $2 events done before, $3 tenants, $4 names, $5 versions that the streams are at, $6 types,
-- $7 their categories, $8 tenants of tags, $9 tags, $10 how many events.
-- Locks, to the end of the transaction: the import's row, buckets of new streams, the streams' rows by
-- tenant and name, buckets of tags, a bound. Index: stream_tenant_name_key.
select b.row_ids, b.versions, b.states, b.positions
from foldlog.import_batch_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) b
