-- bucket_save: writes rows as they were folded, whatever became of them meanwhile.
-- $1 keys, $2 cents, $3 events.
insert into foldlog_view.bucket (tenant, bucket, cents, events, foldlog_row, foldlog_position,
    foldlog_version)
select '', r.bucket, r.cents, r.events, '{}', 0, 1
from unnest($1::text[], $2::bigint[], $3::bigint[]) r(bucket, cents, events)
order by r.bucket
on conflict (tenant, bucket) do update set cents = excluded.cents, events = excluded.events
