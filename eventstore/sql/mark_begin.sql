-- mark_begin: a transaction in which a stream can be marked, whatever the server's default.
-- No parameters. Locks: none. Index: none.
begin isolation level read committed
