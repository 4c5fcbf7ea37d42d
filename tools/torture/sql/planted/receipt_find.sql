-- receipt_find: what became of a request. parameters: $1 its number. locks: none. index: receipt_pkey.
select r.versions, r.positions from torture.receipt r where r.request = $1
