-- store_check: how many events there are, and how many streams whose row does not fit its events: what
-- the row does not know must be in the segment that it names, and versions have no gaps.
select coalesce(sum(c.events), 0)::bigint,
    count(*) filter (where c.events <> c.version or c.known_version > c.version
        or c.first_position > c.lowest or c.elsewhere)
from (
    select s.known_version, s.first_position, count(e.position) as events,
        coalesce(max(e.version), 0) as version, min(e.position) as lowest,
        bool_or(e.version > s.known_version and e.position / foldlog.event_segment_width()
            <> s.known_position / foldlog.event_segment_width()) as elsewhere
    from foldlog.stream s
    left join foldlog.event e on e.stream_id = s.id
    group by s.id
) c
