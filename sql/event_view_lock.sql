-- event_view_lock: one at a time who changes event views, and nobody who migrates meanwhile, to the
-- end of the transaction.
-- No parameters. The key is the migrators' own (foldlog-pg, migration_lock.sql).
select pg_advisory_xact_lock(28832958956466023)
