-- database_list: the databases whose names begin so.
-- parameters: $1 the beginning. locks: none. index: none.
select datname::text from pg_catalog.pg_database where starts_with(datname, $1)
