-- setting_local_set: a setting for the rest of the transaction.
-- $1 name, $2 value. No locks.
select set_config($1, $2, true)
