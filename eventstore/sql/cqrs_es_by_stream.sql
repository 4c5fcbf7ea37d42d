-- cqrs_es_by_stream: the events of a table as cqrs-es makes it, stream by stream. The name of the table
-- is put in the place of source_events.
-- $1 the field of the metadata that holds the time: a date and time, or seconds or milliseconds since
-- 1970; null: none. No locks beyond those of any read. Index: the table's primary key.
select r.aggregate_type, r.aggregate_id, r.sequence, r.event_type, r.event_version, r.payload,
    r.metadata, (extract(epoch from r.recorded) * 1000000)::bigint as recorded_us
from (
    select e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
        e.payload::text as payload, e.metadata::text as metadata,
        case
            when t.field ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d' then t.field::timestamptz
            when t.field ~ '^\d{1,11}(\.\d+)?$' then to_timestamp(t.field::float8)
            when t.field ~ '^\d{12,14}$' then to_timestamp(t.field::float8 / 1000)
        end as recorded
    from source_events e
    cross join lateral (select e.metadata ->> $1::text as field) t
) r
order by r.aggregate_type, r.aggregate_id, r.sequence
