-- bucket_shoot: the rows of the view (key, cents, events) and its checkpoints (no key; modulus,
-- remainder, position) in one snapshot.
select b.bucket, b.cents, b.events, 0::bigint from foldlog_view.bucket b where b.events > 0
union all
select null, c.modulus, c.remainder, c.position from foldlog.checkpoint c
where c.projection = 'bucket'
