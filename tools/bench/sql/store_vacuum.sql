-- store_vacuum: brings the tables of the event store to rest. Not in a transaction.
vacuum (analyze) foldlog.event, foldlog.stream
