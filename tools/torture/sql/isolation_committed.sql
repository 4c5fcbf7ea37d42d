-- isolation_committed: the transaction that has just begun is at read committed.
set transaction isolation level read committed
