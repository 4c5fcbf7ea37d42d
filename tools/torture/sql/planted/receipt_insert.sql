-- receipt_insert: notes what became of a request. parameters: $1 its number, $2 versions, $3 positions.
insert into torture.receipt (request, versions, positions) values ($1, $2, $3)
