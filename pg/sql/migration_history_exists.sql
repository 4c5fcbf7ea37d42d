-- migration_history_exists: whether this database has ever been migrated.
-- No parameters, no locks.
select to_regclass('foldlog.migration') is not null
