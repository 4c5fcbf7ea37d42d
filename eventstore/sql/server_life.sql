-- server_life: since when this server has run, and the database's number on it. What one session has
-- learnt holds for another of the same life: nothing that was committed is gone, no id was given twice.
-- Locks: none.
select pg_postmaster_start_time(), d.oid from pg_database d where d.datname = current_database()
