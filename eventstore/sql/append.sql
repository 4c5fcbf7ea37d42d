-- append: any number of requests, each of which succeeds or fails as a whole.
-- $1 wait in ms; $2-$5 requests: tenants, ids, content hashes, replies; $6-$8 streams: request,
-- name, expected version; $9-$14 events: stream, id, type, payload, metadata,
-- tags; $15-$19 items of conditions: request, types, tags, position, seen.
-- Locks: creation buckets, stream rows, ids of receipts, tags, a shared bound; all to the end of the
-- transaction. Index: stream_tenant_name_key, receipt's primary key.
select a.request, a.stream, a.outcome, a.version, a.first_position, a.last_position,
    a.reply::text as reply
from foldlog.append_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
    $15, $16, $17, $18, $19) a
