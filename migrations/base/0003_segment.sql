-- Segments: a log's table in pieces of fixed width, made ahead of need.

-- Makes what is missing of the current segment and the two after it; returns how many it made.
-- A segment is built standalone and then attached: that takes no lock which could queue appends
-- behind an open transaction. lock_timeout is the caller's to set.
create function foldlog.segment_ensure_1(of_log integer) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    the_log foldlog.log;
    companion_log foldlog.log;
    current_segment bigint;
    segment text;
    made integer := 0;
begin
    select l.* into strict the_log from foldlog.log l where l.number = of_log;
    current_segment := foldlog.log_last(of_log) / the_log.segment_width;
    -- Nothing to do is the usual answer, and takes no lock.
    perform from generate_series(current_segment, current_segment + 2) k
    where to_regclass(foldlog.segment_name(the_log, k)) is null;
    if not found then
        return 0;
    end if;
    perform pg_advisory_xact_lock(
        foldlog.lock_key(foldlog.store_number(), 4092, of_log));
    -- Another may have made them while we waited. The catalog's rows say so, in a snapshot taken now;
    -- its cache, asked above, still says that they are missing.
    for k in current_segment .. current_segment + 2 loop
        segment := foldlog.segment_name(the_log, k);
        perform from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where array[n.nspname::text, c.relname::text] = parse_ident(segment);
        if not found then
            perform foldlog.segment_create(the_log, segment, k);
            companion_log := the_log;
            companion_log.segment_unique := null;
            foreach companion_log.segment_parent in array the_log.segment_companions loop
                perform foldlog.segment_create(
                    companion_log, foldlog.segment_name(companion_log, k), k);
            end loop;
            made := made + 1;
        end if;
    end loop;
    return made;
end $$;

create function foldlog.segment_name(the_log foldlog.log, k bigint) returns text
language sql immutable
begin atomic
    select the_log.segment_parent || '_' || lpad(k::text, greatest(6, length(k::text)), '0');
end;

create function foldlog.segment_create(the_log foldlog.log, segment text, k bigint) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    low constant bigint := k * the_log.segment_width;
    high constant bigint := low + the_log.segment_width;
begin
    execute format(
        'create table %s (like %s including defaults including constraints including storage'
        ' including compression including indexes)',
        segment, the_log.segment_parent);
    execute format(
        'alter table %s add constraint segment_range check (position >= %s and position < %s)',
        segment, low, high);
    if the_log.segment_unique is not null then
        execute format('create unique index on %s (%s)', segment, the_log.segment_unique);
    end if;
    -- A statement trigger of the parent does not fire for an insert into the segment itself.
    execute format(
        'create trigger insert_guard before insert on %s for each statement'
        ' execute function foldlog.insert_guard(%L)', segment, the_log.number);
    execute format('alter table %s enable always trigger insert_guard', segment);
    execute format(
        'create trigger keep_guard before update or delete or truncate on %s for each statement'
        ' execute function foldlog.keep_guard()', segment);
    execute format('alter table %s enable always trigger keep_guard', segment);
    execute format(
        'alter table %s attach partition %s for values from (%s) to (%s)',
        the_log.segment_parent, segment, low, high);
end $$;

-- What would make positions unsound, in words; null if nothing does. Asked once at every start.
create function foldlog.log_check_1(of_log integer) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
    the_log foldlog.log;
    s pg_sequence;
    highest bigint;
begin
    select l.* into strict the_log from foldlog.log l where l.number = of_log;
    select q.* into strict s from pg_sequence q
    where q.seqrelid = the_log.position_sequence::regclass;
    if s.seqcache <> 1 or s.seqincrement <> 1 or s.seqcycle then
        return format(
            'sequence %s must have cache 1, increment 1 and no cycle: run'
            ' alter sequence %s cache 1 increment 1 no cycle',
            the_log.position_sequence, the_log.position_sequence);
    end if;
    -- Highest first, then the sequence: an append between the two can only raise the latter.
    execute format('select max(position) from %s', the_log.segment_parent) into highest;
    if foldlog.log_last(of_log) < highest then
        return format(
            'sequence %s stands at %s, but the log holds position %s: it was reset, or restored'
            ' without its value; run select setval(%L, %s)',
            the_log.position_sequence, foldlog.log_last(of_log), highest,
            the_log.position_sequence, highest);
    end if;
    return null;
end $$;

revoke all on all functions in schema foldlog from public;
