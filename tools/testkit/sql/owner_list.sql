-- owner_list: the application names of the sessions that vouch for living test processes.
-- parameters: $1 the beginning of the name. locks: none. index: none.
select application_name from pg_catalog.pg_stat_activity where starts_with(application_name, $1)
