-- store_read: which store this database holds.
-- No parameters, no locks.
select s.id, s.epoch
from foldlog.store s
