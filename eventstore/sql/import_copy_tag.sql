-- import_copy_tag: the tags of a batch.
-- No parameters. Locks: none beyond those of the batch.
copy foldlog.event_tag (tenant, tag, position, type_id) from stdin (format binary)
