-- isolation_repeatable: the transaction runs at repeatable read. First in the transaction.
set transaction isolation level repeatable read
