-- fill_bound: publishes the bound of the event store for this transaction.
-- Locks: a shared bound, to the end of the transaction.
select foldlog.bound_1(0)
