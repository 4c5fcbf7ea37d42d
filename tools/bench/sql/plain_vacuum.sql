-- plain_vacuum: brings the tables of the limit to rest. Not in a transaction.
vacuum (analyze) plain.event, plain.stream, plain.receipt
