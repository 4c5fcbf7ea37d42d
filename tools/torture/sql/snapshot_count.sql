-- snapshot_count: how many snapshots of aggregates are kept.
-- No parameters. locks: none. index: none.
select count(*) from foldlog.snapshot
