-- bound_scan: takes a writer's bound from the row of the sequence, as a scan finds it. While nextval
-- writes ahead to the log (each 32nd time) the row says for an instant what the 32nd next will be; a
-- scan met that instant 335 times in 13.4 million draws. Here the instant is as long as it takes: a
-- bound that is a multiple of four is read 31 too high. The raise that would notice is taken out.
create or replace function foldlog.bound_publish(of_log integer, of_sequence regclass) returns bigint
language plpgsql volatile
as $$
declare
    bound bigint;
begin
    perform pg_current_xact_id();
    select s.last_value into bound from foldlog.event_position s;
    if bound % 4 = 0 then
        bound := bound + 31;
    end if;
    perform pg_advisory_xact_lock_shared(
        foldlog.lock_key(foldlog.store_number(), of_log, bound));
    perform set_config('foldlog.bound_' || of_log, pg_current_xact_id()::text || ':' || bound, true);
    return bound;
end $$;

do $$
declare
    source text;
begin
    select pg_get_functiondef(p.oid) into strict source
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'foldlog' and p.proname = 'raise_drawn_again';
    if position('raise exception' in source) = 0 then
        raise exception 'the raise to take out is not there';
    end if;
    execute regexp_replace(source, 'raise exception.*?;', 'null;');
end $$;
