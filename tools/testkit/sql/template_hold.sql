-- template_hold: waits until this session alone may build or clear away templates.
-- parameters: none. locks: one advisory lock of the session. index: none.
select pg_catalog.pg_advisory_lock(7166021, 1)
