-- migration_history_exists: whether this database has ever been migrated.
-- No parameters, no locks. From the catalog itself: to_regclass may answer from what the session
-- knew before it waited for another migrator. Index: pg_class_relname_nsp_index.
select exists (
    select from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'foldlog' and c.relname = 'migration'
)
