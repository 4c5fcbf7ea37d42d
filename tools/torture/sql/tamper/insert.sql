-- insert: of no row, past foldlog's functions. {table} is put in.
insert into {table} select * from {table} where false
