-- transaction_count: how many transactions each of the two databases of the live bench has seen.
select coalesce(max(d.xact_commit + d.xact_rollback) filter (where d.datname = 'live_inside'), 0),
    coalesce(max(d.xact_commit + d.xact_rollback) filter (where d.datname = 'live_across'), 0)
from pg_stat_database d
