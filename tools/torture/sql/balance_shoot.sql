-- balance_shoot: the rows of the view (key, cents, events) and its checkpoints (no key; modulus,
-- remainder, position) in one snapshot.
select 'account-' || b.account, b.cents, b.events, 0::bigint from foldlog_view.balance b
union all
select null, c.modulus, c.remainder, c.position from foldlog.checkpoint c
where c.projection = 'balance'
