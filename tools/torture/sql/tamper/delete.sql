-- delete: of no row, which is refused as one of any. {table} is put in.
delete from {table} where false
