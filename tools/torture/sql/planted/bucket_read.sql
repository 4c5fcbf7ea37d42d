-- bucket_read: all rows of the view.
select b.bucket, b.cents, b.events from foldlog_view.bucket b
