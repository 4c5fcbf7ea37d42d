-- segment_find: the first segments of events and of tags.
-- No parameters. locks: none. index: none.
select min(i.inhrelid::regclass::text)
from pg_inherits i
where i.inhparent in ('foldlog.event'::regclass, 'foldlog.event_tag'::regclass)
group by i.inhparent
