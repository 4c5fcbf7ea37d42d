-- event_read_xmin: what is older than every open transaction, by position.
-- $1 position, $2 how many, $3 transaction.
select e.position, s.name, e.version, e.event_id, e.payload::text, t.name, e.slice,
    e.xmin::text::bigint
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
where e.position > $1 and $3::bigint is not null
    and e.xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
order by e.position
limit $2
