-- role_create: who may log in and reads or writes, with nothing but foldlog's roles. No parameters.
do $$
begin
    create role torture_reader login in role foldlog_reader;
    create role torture_writer login in role foldlog_writer;
end $$
