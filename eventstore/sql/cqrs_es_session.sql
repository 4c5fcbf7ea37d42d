-- cqrs_es_session: times without a zone are UTC, and a long read is no mistake.
-- No parameters, no locks.
select set_config('TimeZone', 'UTC', false), set_config('statement_timeout', '0', false)
