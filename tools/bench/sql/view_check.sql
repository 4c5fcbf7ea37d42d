-- view_check: how many rows the view holds, and how many differ from what the events say.
select count(v.account), count(*) filter (
        where v.cents is distinct from b.cents or v.events is distinct from b.events)
from (
    select s.tenant, split_part(s.name, '-', 2) as account,
        sum((e.payload ->> 'cents')::bigint) as cents, count(*) as events
    from foldlog.event e
    join foldlog.stream s on s.id = e.stream_id
    group by 1, 2
) b
full join foldlog_view.balance v on v.tenant = b.tenant and v.account = b.account
