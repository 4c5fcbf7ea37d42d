-- Marks: what may be done with a stream, and from which version on it is read. The row of the stream
-- says how it stands; here is who marked it, when and why. What marks mean is in docs/lifecycle.md.

create table foldlog.stream_mark (
    stream_id bigint not null,
    -- Counted from 1 in each stream.
    number integer not null,
    -- A drop is a segment's: the stream's events in it are gone.
    mark text not null check (mark in ('archive', 'unarchive', 'truncate', 'tombstone', 'drop')),
    first_version bigint,
    first_is_summary boolean,
    reason text not null check (reason <> '' and octet_length(reason) <= 1000),
    marked_by text not null default session_user,
    marked_at timestamptz not null default clock_timestamp(),
    primary key (stream_id, number)
);
create trigger keep_guard before update or delete or truncate on foldlog.stream_mark
    for each statement execute function foldlog.keep_guard();
alter table foldlog.stream_mark enable always trigger keep_guard;

create function foldlog.mark_json(m foldlog.stream_mark) returns json
language sql stable
begin atomic
    select json_build_object(
        'reason', m.reason, 'by', m.marked_by,
        'at_us', (extract(epoch from m.marked_at) * 1000000)::bigint);
end;

-- Marks a stream: archive, unarchive, truncate (before a version, whose event may be a summary of all
-- before it) or tombstone. The row is locked as an append locks it, so that the two come one after
-- another; wait_ms as there. Only at read committed, where what is found behind the lock is the newest.
-- The version is the stream's; the marks are those it has then. Outcomes are
--
--   0 marked
--   1 as before   it stood so already, or further on: nothing was written
--   2 conflict    the stream is not at the expected version
--   3 missing     there is no such stream
--   4 tombstoned  for ever
--   5 no version  the stream has no such version; its last event always stays
create function foldlog.stream_mark_1(
    wait_ms integer, in_tenant text, of_stream text, of_mark text, why text, before_version bigint,
    is_summary boolean, expected bigint
) returns table (outcome smallint, version bigint, marks json)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    width constant bigint := foldlog.event_segment_width();
    s foldlog.stream;
    was foldlog.stream;
    last_version bigint;
begin
    if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        raise exception 'a stream can''t be marked at isolation level %',
            current_setting('transaction_isolation')
            using errcode = 'FL001', hint = 'Mark it at read committed.';
    end if;
    if wait_ms is not null then
        perform set_config('lock_timeout', wait_ms::text, true);
    end if;
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'local', true);
    end if;
    select r.* into s from foldlog.stream r
    where r.tenant = in_tenant and r.name = of_stream for no key update;
    was := s;
    select e.version into last_version
    from foldlog.event e
    where e.stream_id = s.id and e.position >= s.known_position / width * width
        and e.position < s.known_position / width * width + width
    order by e.version desc
    limit 1;
    last_version := coalesce(last_version, s.known_version, 0);
    if last_version = 0 then
        return query select 3::smallint, 0::bigint, null::json;
        return;
    elsif s.state = 2 and of_mark <> 'tombstone' then
        return query select 4::smallint, last_version, foldlog.stream_marks(s);
        return;
    elsif expected is not null and expected <> last_version then
        return query select 2::smallint, last_version, null::json;
        return;
    elsif of_mark = 'truncate' and not coalesce(before_version between 1 and last_version, false) then
        return query select 5::smallint, last_version, null::json;
        return;
    end if;
    case of_mark
        when 'archive' then s.state := 1;
        when 'unarchive' then s.state := 0;
        when 'tombstone' then s.state := 2;
        when 'truncate' then
            if before_version > s.first_version then
                s.first_version := before_version;
                s.first_is_summary := is_summary;
            elsif before_version = s.first_version and before_version > 1 then
                s.first_is_summary := s.first_is_summary or is_summary;
            end if;
    end case;
    if s is not distinct from was then
        return query select 1::smallint, last_version, foldlog.stream_marks(s);
        return;
    end if;
    update foldlog.stream r
    set state = s.state, first_version = s.first_version, first_is_summary = s.first_is_summary
    where r.id = s.id;
    perform foldlog.mark_insert(
        s.id, of_mark, case of_mark when 'truncate' then s.first_version end,
        case of_mark when 'truncate' then s.first_is_summary end, why);
    return query select 0::smallint, last_version, foldlog.stream_marks(s);
end $$;

-- The caller holds the row of the stream.
create function foldlog.mark_insert(
    of_id bigint, of_mark text, first_version bigint, is_summary boolean, why text
) returns void
language plpgsql volatile
as $$
#variable_conflict use_column
begin
    insert into foldlog.stream_mark
        (stream_id, number, mark, first_version, first_is_summary, reason)
    select of_id, 1 + coalesce((
            select m.number from foldlog.stream_mark m where m.stream_id = of_id
            order by m.number desc limit 1), 0),
        of_mark, mark_insert.first_version, is_summary, why;
end $$;

-- Requests on streams that were closed, unless they were recognised as repeats: 5, and as the reply of
-- such a stream what closed it.
create function foldlog.append_closed(
    stream_request integer[], home integer[], the_id bigint[], inout result smallint[],
    inout reply json[]
)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    old_result constant smallint[] := result;
    old_reply constant json[] := reply;
begin
    with closed as (
        select e.request, e.entry, foldlog.stream_marks(s) as marks
        from unnest(stream_request, home) with ordinality e(request, home, entry)
        join foldlog.stream s on s.id = the_id[e.home]
        where s.state <> 0 and old_result[e.entry] in (0, 2, 7)
    )
    select array_agg(case when e.request in (select c.request from closed c) then 5
            else old_result[e.entry] end::smallint order by e.entry),
        array_agg(coalesce(
            (select c.marks from closed c where c.entry = e.entry), old_reply[e.entry])
            order by e.entry)
    into result, reply
    from unnest(stream_request) with ordinality e(request, entry);
end $$;

-- Every mark that a stream was given, in order.
create function foldlog.list_marks_1(in_tenant text, of_stream text)
returns table (
    mark text, first_version bigint, first_is_summary boolean, reason text, marked_by text,
    marked_at timestamptz
)
language sql stable security definer
begin atomic
    select m.mark, m.first_version, m.first_is_summary, m.reason, m.marked_by, m.marked_at
    from foldlog.stream s
    join foldlog.stream_mark m on m.stream_id = s.id
    where s.tenant = in_tenant and s.name = of_stream
    order by m.number;
end;

revoke all on all functions in schema foldlog from public;
