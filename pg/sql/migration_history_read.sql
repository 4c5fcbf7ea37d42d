-- migration_history_read: what was applied, of every set.
-- No parameters, no locks. Index: migration_pkey.
select set_name, number, name, checksum, floor
from foldlog.migration
order by set_name, number
