-- condition_count: a condition is judged from the highest position that was seen, as if nothing could
-- come to stand below it. It passes by what was open at a lower one when it was read.
do $$
declare
    source text;
    counted text;
begin
    select pg_get_functiondef('foldlog.item_failures'::regproc) into strict source;
    counted := regexp_replace(source, 'position"? > i\.after',
        'position" > greatest(i.after, (select max(p.p) from unnest(i.seen) p(p)))', 'g');
    if counted = source then
        raise exception 'the position to go by is not there';
    end if;
    execute counted;
end $$;
