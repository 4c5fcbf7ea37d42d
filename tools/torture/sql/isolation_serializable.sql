-- isolation_serializable: the transaction runs at serializable. First in the transaction.
set transaction isolation level serializable
