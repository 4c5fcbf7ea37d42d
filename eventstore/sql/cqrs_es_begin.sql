-- cqrs_es_begin: everything is read from one snapshot.
-- No parameters, no locks.
begin isolation level repeatable read read only
