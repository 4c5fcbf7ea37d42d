-- transaction_alone: whether this statement, sent by the simple protocol, is its own transaction.
-- parameters: none. locks: none. index: none.
select transaction_timestamp() = statement_timestamp() and pg_current_xact_id_if_assigned() is null
