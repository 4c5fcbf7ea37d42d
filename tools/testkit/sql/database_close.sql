-- database_close: nobody connects to a template, or it could not be copied.
-- parameters: {name}, a quoted identifier. locks: the database.
alter database {name} with allow_connections false
