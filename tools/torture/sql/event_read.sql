-- event_read: all events with their streams, by position.
select e.position, s.name, e.version, e.slice, (e.payload ->> 'mark')::bigint,
    (e.payload ->> 'cents')::bigint
from foldlog.event e join foldlog.stream s on s.id = e.stream_id
order by e.position
