-- database_rename: a finished template takes its name.
-- parameters: {name} and {to}, quoted identifiers. locks: the database.
alter database {name} rename to {to}
