-- retention_streams: writes down of the next streams what would go with their segments.
-- $1 the last id before them, $2 how many, $3 reason.
-- Locks: the streams' rows. Index: stream_pkey, (stream_id, version) of each segment.
select foldlog.retention_streams_1($1, $2, $3)
