-- event_sum: what all committed events of accounts sum up to, and how many there are, in one snapshot.
select coalesce(sum((e.payload ->> 'cents')::bigint), 0)::bigint, count(*)::bigint
from foldlog.event e
