-- import_batch_end: the streams that entered a later segment, and how far the import is.
-- $1 import, $2 rows of streams, $3 their versions, $4 their last positions, $5 events done, $6 digest,
-- $7 last position. Locks: rows that the batch holds. Index: stream_pkey, import_pkey.
select foldlog.import_batch_end_1($1, $2, $3, $4, $5, $6, $7)
