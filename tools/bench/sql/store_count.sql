-- store_count: how many events the store holds.
select count(*) from foldlog.event
