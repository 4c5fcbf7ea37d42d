-- transaction_id: gives the transaction an id, as every write does.
-- parameters: none. locks: the transaction's own id.
select pg_catalog.pg_current_xact_id()::text
