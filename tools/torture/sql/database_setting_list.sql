-- database_setting_list: the names of a database's own settings.
-- parameters: $1 database. locks: none. index: none.
select split_part(item, '=', 1)
from pg_catalog.pg_db_role_setting s
    join pg_catalog.pg_database d on d.oid = s.setdatabase,
    unnest(s.setconfig) item
where d.datname = $1 and s.setrole = 0
