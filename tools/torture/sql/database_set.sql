-- database_set: a setting for the sessions that a database will have.
-- parameters: {database} and {setting}, quoted identifiers; {value}, plain. locks: the setting's row.
alter database {database} set {setting} = '{value}'
