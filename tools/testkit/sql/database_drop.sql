-- database_drop: drops a database and whoever is still in it.
-- parameters: {name}, a quoted identifier. locks: the database.
drop database if exists {name} with (force)
