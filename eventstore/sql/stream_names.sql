-- stream_names: the streams of some ids.
-- $1 ids.
-- Locks: none. Index: stream's primary key.
select n.id, n.tenant, n.name from foldlog.stream_names_1($1) n
