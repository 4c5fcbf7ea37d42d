-- balance_insert: the balance of every account, from all its events at once.
insert into plain.balance (tenant, account, cents, events)
select s.tenant, split_part(s.name, '-', 2), b.cents, b.events
from (
    select e.stream_id, sum((e.payload ->> 'cents')::bigint) as cents, count(*) as events
    from foldlog.event e
    group by e.stream_id
) b
join foldlog.stream s on s.id = b.stream_id
