-- tag_lock_forget: an append does not hold the lock of all events. Who judges a query without tags has
-- it at once, and does not see what is still open at a lower position.
do $$
declare
    source text;
    forgotten text;
begin
    select pg_get_functiondef('foldlog.append_share'::regproc) into strict source;
    forgotten := replace(
        source, 'if pg_try_advisory_xact_lock_shared', 'if true or pg_try_advisory_xact_lock_shared');
    if forgotten = source then
        raise exception 'the lock to forget is not there';
    end if;
    execute forgotten;
    select pg_get_functiondef('foldlog.append_guard'::regproc) into strict source;
    forgotten := replace(
        source, 'from unnest(live) r(request)', 'from unnest(live) r(request) where false');
    if forgotten = source then
        raise exception 'the lock to forget is not there';
    end if;
    execute forgotten;
end $$;
