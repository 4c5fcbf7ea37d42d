-- role_grant: grants foldlog's roles whatever is installed in this database.
-- No parameters. Locks: the rows of the catalog that change.
select foldlog.grant_roles_1()
