-- transaction_probe: whether this statement is its own transaction. Sent by the simple protocol only,
-- where both clocks are set by the same message; in an open transaction the first one is older, and
-- in a failed one the statement is refused.
-- parameters: none. locks: none. index: none.
select pg_catalog.transaction_timestamp() = pg_catalog.statement_timestamp() as alone
