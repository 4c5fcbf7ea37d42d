-- role_create: who the worker processes are to the audit: worker_<place>_<life>. More than a schedule
-- can use up. No parameters.
do $$
begin
    for place in 0 .. 3 loop
        for life in 0 .. 149 loop
            execute format('create role %I superuser login', format('worker_%s_%s', place, life));
        end loop;
    end loop;
end $$
