-- database_reset: a setting is again what it is without the database.
-- parameters: {database} and {setting}, quoted identifiers. locks: the setting's row.
alter database {database} reset {setting}
