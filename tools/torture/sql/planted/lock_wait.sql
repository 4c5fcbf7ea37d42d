-- lock_wait: a call of appends that is to wait for nobody waits for the rows that others hold.
do $$
declare
    source text;
    the_name text;
begin
    foreach the_name in array array['append_one', 'stream_lock'] loop
        select pg_get_functiondef(p.oid) into strict source
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'foldlog' and p.proname = the_name;
        if position('for no key update skip locked' in source) = 0 then
            raise exception 'the words to take out are not there';
        end if;
        execute replace(source, 'for no key update skip locked', 'for no key update');
    end loop;
end $$
