-- stream_touch: brings the rows of streams up to date, except those that others hold.
-- $1 tenant, $2 names.
-- Locks: the streams' rows, without waiting. Index: stream_tenant_name_key.
select from foldlog.stream_touch_1($1, $2)
