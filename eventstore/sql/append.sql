-- append: any number of requests, each of which succeeds or fails as a whole.
-- $1 wait in ms; $2-$5 requests: tenants, ids, content hashes, replies; $6-$8 streams: request,
-- name, expected version; $9-$13 events: stream, id, type, payload, metadata.
-- Locks: creation buckets, stream rows, ids of receipts, a shared bound; all to the end of the
-- transaction. Index: stream_tenant_name_key, receipt's primary key.
select a.request, a.stream, a.outcome, a.version, a.first_position, a.last_position,
    a.reply::text as reply
from foldlog.append_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) a
