-- truncate: rolled back should it go through. {table} is put in.
truncate {table}
