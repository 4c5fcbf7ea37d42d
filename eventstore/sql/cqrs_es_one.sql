-- cqrs_es_one: the events of one stream of a table as cqrs-es makes it. The name of the table is put in
-- the place of source_events.
-- $1 aggregate type, $2 aggregate id. Index: the table's primary key.
select e.sequence, e.event_type, e.event_version, e.payload::text as payload
from source_events e
where e.aggregate_type = $1 and e.aggregate_id = $2
order by e.sequence
