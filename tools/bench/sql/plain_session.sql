-- plain_session: keeps the plans of the limit from flipping to a scan of all streams.
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
set plan_cache_mode = force_generic_plan
