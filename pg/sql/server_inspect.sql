-- server_inspect: what foldlog needs to know of a server before it trusts it. Sent by the
-- simple protocol only: what is prepared in two steps may end up in two sessions behind a pooler.
-- parameters: none. locks: none. index: none.
select current_setting('server_version_num')::int4 as number,
       current_setting('server_version') as version,
       pg_catalog.pg_is_in_recovery() as standby,
       current_setting('transaction_read_only')::bool as read_only
