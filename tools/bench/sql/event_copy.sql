-- event_copy: every event with its stream, in the order of positions.
copy (
    select e.position, e.version, s.tenant, s.name, e.event_id, e.type_id, e.payload, e.metadata,
        e.recorded_at
    from foldlog.event e
    join foldlog.stream s on s.id = e.stream_id
    order by e.position
) to stdout (format binary)
