-- stream_holder: which process holds a stream, or the making of it.
-- $1 tenant, $2 name.
-- Locks: none. Index: stream_tenant_name_key.
select h.pid from foldlog.stream_holder_1($1, $2) h(pid)
