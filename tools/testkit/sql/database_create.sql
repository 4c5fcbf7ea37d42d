-- database_create: a database of its own for a test, by copying files where the template is large.
-- parameters: {name} and {template}, quoted identifiers. locks: the template against connections.
create database {name} template {template}
