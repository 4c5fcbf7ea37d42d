-- server_facts: the version of the server, and the settings that bear on figures.
select current_setting('server_version'),
    (select string_agg(format('%s=%s', n.name, current_setting(n.name)), ' ' order by n.place)
    from unnest(array['shared_buffers', 'max_wal_size', 'fsync', 'synchronous_commit',
        'full_page_writes', 'wal_level', 'wal_sync_method', 'checkpoint_timeout', 'work_mem',
        'max_connections', 'autovacuum', 'jit']) with ordinality n(name, place))
