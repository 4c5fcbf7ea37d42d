-- database_drop: a database that is no longer needed.
-- {name} its name.
drop database "{name}" with (force)
