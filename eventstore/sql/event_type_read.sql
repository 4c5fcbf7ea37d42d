-- event_type_read: every event type.
-- No parameters, no locks.
select t.id, c.name as category, t.name, t.schema_version
from foldlog.event_type t
join foldlog.category c on c.id = t.category_id
