-- cqrs_es_by_time: the same by time, except that no event comes before an earlier one of its stream:
-- where clocks went back, it comes right behind.
-- $1 as in cqrs_es_by_stream. Sorts the table, on the server's disk.
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
order by max(r.recorded) over (
        partition by r.aggregate_type, r.aggregate_id order by r.sequence) nulls first,
    r.aggregate_type, r.aggregate_id, r.sequence
