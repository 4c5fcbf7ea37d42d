-- update: of no row, which is refused as one of any. {table} and {column} are put in.
update {table} set {column} = {column} where false
