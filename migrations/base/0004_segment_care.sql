-- The care of segments: what there is, and freezing what nothing is written to any more.

-- Segments that were seen closed.
create table foldlog.segment (
    log smallint not null references foldlog.log,
    number bigint not null,
    -- No transaction from this one on has written to it.
    closed_before xid8 not null,
    closed_at timestamptz not null default clock_timestamp(),
    frozen_at timestamptz,
    primary key (log, number)
);

-- The segments of a log that are attached to its table, by number. One is ahead, current, closing (all
-- its positions are drawn, and appends to it may still be open) or closed. A count of rows is an
-- estimate, null if nobody has counted yet.
create function foldlog.list_segments_1(of_log integer)
returns table (
    number bigint, name text, first_position bigint, end_position bigint, state text, bytes bigint,
    rows_about bigint, frozen_at timestamptz
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    settled constant bigint := foldlog.settled_1(of_log, 0);
    last_drawn constant bigint := foldlog.log_last(of_log);
    the_log foldlog.log;
begin
    select l.* into strict the_log from foldlog.log l where l.number = of_log;
    return query
    select k.number, format('%s', c.oid::regclass), k.low, k.low + the_log.segment_width,
        case
            when settled >= k.low + the_log.segment_width - 1 then 'closed'
            when last_drawn >= k.low + the_log.segment_width - 1 then 'closing'
            when last_drawn >= k.low then 'current'
            else 'ahead' end,
        (
            select sum(pg_total_relation_size(t.part))::bigint
            from foldlog.segment_tables(the_log, k.number) t(part)
        ), nullif(c.reltuples::bigint, -1), s.frozen_at
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join lateral (
        select n.number, n.number * the_log.segment_width as low
        from (select foldlog.segment_number(c.relname)) n(number)
    ) k
    left join foldlog.segment s on s.log = of_log and s.number = k.number
    where i.inhparent = the_log.segment_parent::regclass
    order by k.number;
end $$;

-- The tables of a segment: that of the log, and its companions'.
create function foldlog.segment_tables(the_log foldlog.log, k bigint) returns setof regclass
language plpgsql stable
as $$
declare
    parent text;
begin
    foreach parent in array the_log.segment_parent || the_log.segment_companions loop
        the_log.segment_parent := parent;
        return query
        select t.oid from (select to_regclass(foldlog.segment_name(the_log, k))) t(oid)
        where t.oid is not null;
    end loop;
end $$;

create function foldlog.segment_number(segment name) returns bigint
language sql immutable
begin atomic
    select substring(segment::text from '[0-9]+$')::bigint;
end;

-- The next closed segment to be frozen, with the statement that does it: vacuum can't run in a function.
-- No row if there is none. Only where no session of this database still goes by a snapshot from before
-- it was closed, as far as this role may see: vacuum would leave some of it for later. What other
-- databases do does not matter to it.
create function foldlog.segment_freeze_next_1(of_log integer)
returns table (number bigint, owner oid, statement text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into foldlog.segment (log, number, closed_before)
    select of_log, l.number, pg_snapshot_xmax(pg_current_snapshot())
    from foldlog.list_segments_1(of_log) l
    where l.state = 'closed' and not exists (
        select from foldlog.segment s where s.log = of_log and s.number = l.number)
    on conflict do nothing;
    return query
    select s.number, c.relowner, 'vacuum (freeze) ' || (
        select string_agg(t.part::text, ', ') from foldlog.segment_tables(l, s.number) t(part))
    from foldlog.segment s
    join foldlog.log l on l.number = s.log
    join pg_class c on c.oid = to_regclass(foldlog.segment_name(l, s.number))
    where s.log = of_log and s.frozen_at is null
        and not exists (
            select from pg_stat_activity a
            where a.datname = current_database() and a.pid <> pg_backend_pid()
                and a.backend_type <> 'autovacuum worker'
                and greatest(age(a.backend_xmin), age(a.backend_xid)) > age(s.closed_before::xid))
        and not exists (
            select from pg_prepared_xacts p
            where p.database = current_database()
                and age(p.transaction) > age(s.closed_before::xid))
    order by s.number
    limit 1;
end $$;

-- Records that a segment was frozen, if it was in whole: something old (a replication slot, a prepared
-- transaction) may have kept vacuum from some of it.
create function foldlog.segment_frozen_1(of_log integer, of_number bigint) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
    update foldlog.segment s
    set frozen_at = clock_timestamp()
    from foldlog.log l
    where s.log = of_log and s.number = of_number and l.number = s.log
        and not exists (
            select from foldlog.segment_tables(l, s.number) t(part)
            join pg_class c on c.oid = t.part
            left join pg_class o on o.oid = c.reltoastrelid
            where greatest(age(c.relfrozenxid), age(o.relfrozenxid))
                > age(s.closed_before::xid));
    return found;
end $$;

revoke all on all functions in schema foldlog from public;
