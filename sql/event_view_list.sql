-- event_view_list: the views of a schema, with what is said of them.
-- $1 the schema -> name, comment. No locks; the primary keys and name indexes of the catalog.
select c.relname::text, coalesce(obj_description(c.oid, 'pg_class'), '')
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind = 'v'
