-- receipt_read: the receipt of a request.
-- $1 tenant, $2 id. Locks: none. Index: receipt's primary key.
select r.content_hash, r.versions, r.last_positions, r.reply::text as reply
from foldlog.read_receipt_1($1, $2) r
