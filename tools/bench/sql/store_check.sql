-- store_check: how many events there are, and how many streams whose row is not what its events say.
select coalesce(sum(c.events), 0)::bigint,
    count(*) filter (where s.version <> coalesce(c.events, 0)
        or s.version <> coalesce(c.version, 0)
        or s.last_position <> coalesce(c.last_position, 0)
        or s.first_position is distinct from c.first_position)
from foldlog.stream s
left join (
    select e.stream_id, count(*) as events, max(e.version) as version,
        min(e.position) as first_position, max(e.position) as last_position
    from foldlog.event e
    group by e.stream_id
) c on c.stream_id = s.id
