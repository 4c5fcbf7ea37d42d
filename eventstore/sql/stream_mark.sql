-- stream_mark: archives, unarchives, truncates or tombstones a stream.
-- $1 wait in ms, $2 tenant, $3 stream, $4 mark, $5 reason, $6 first version kept, $7 whether its event is
-- a summary of those before it, $8 expected version or null.
-- Locks: the stream's row, to the end of the transaction. Index: stream_tenant_name_key.
select m.outcome, m.version, m.marks::text as marks
from foldlog.stream_mark_1($1, $2, $3, $4, $5, $6, $7, $8) m
