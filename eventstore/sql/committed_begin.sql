-- committed_begin: a transaction at read committed, whatever the database's default.
-- No parameters. Locks: none. Index: none.
begin isolation level read committed
