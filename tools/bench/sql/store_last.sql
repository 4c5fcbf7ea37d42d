-- store_last: the position of the last event; 0 if there is none.
select coalesce(max(position), 0) from foldlog.event
