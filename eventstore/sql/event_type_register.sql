-- event_type_register: the ids of event types, made if they are missing.
-- $1 wait in ms, $2 category, $3 names, $4 schema versions. Locks: unique keys of new rows, to the
-- end of the transaction.
select t.name, t.schema_version, t.id
from foldlog.event_type_register_1($1, $2, $3, $4) t
