-- database_create: the database of a schedule. No parameters.
create database torture
