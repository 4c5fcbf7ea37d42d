-- plain_copy: events into the table of the limit.
-- No parameters. The columns are in the order in which the program writes them.
copy plain.event (
    position, stream_id, type_id, slice, version, recorded_at, event_id, payload, metadata)
from stdin (format binary)
