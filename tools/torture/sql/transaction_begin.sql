-- transaction_begin: a transaction that no driver keeps account of, so that it can be prepared.
-- parameters: none. locks: none.
begin
