-- cqrs_es_table: a table by its name as people write it, quoted as SQL needs it; null if there is none.
-- $1 name. No locks.
select to_regclass($1)::text as source_table
