-- prepared_list: the prepared transactions of this database whose names begin so.
-- parameters: $1 the beginning. locks: none. index: none.
select p.gid
from pg_catalog.pg_prepared_xacts p
where p.database = pg_catalog.current_database() and starts_with(p.gid, $1)
order by p.gid
