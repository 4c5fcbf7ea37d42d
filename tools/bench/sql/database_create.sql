-- database_create: an empty database.
-- {name} its name.
create database "{name}" template template0
