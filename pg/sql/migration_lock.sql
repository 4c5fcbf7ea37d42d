-- migration_lock: one migrator at a time, to the end of the transaction.
-- No parameters. The key is "foldlog" in ASCII: below 2^56, so it is no key of any store.
select pg_advisory_xact_lock(28832958956466023)
