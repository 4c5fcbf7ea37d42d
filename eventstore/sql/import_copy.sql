-- import_copy: the rows of a batch. The columns of fixed width stand first: what is known only when the
-- streams are locked is put in its place then.
-- No parameters. Locks: none beyond those of the batch.
copy foldlog.event (
    position, stream_id, type_id, slice, version, recorded_at, event_id, payload, metadata)
from stdin (format binary)
