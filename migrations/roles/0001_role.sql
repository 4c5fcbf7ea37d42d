-- Roles. They belong to the whole cluster: a second database of it shares them, and who may connect to
-- it is for that database to say. None can log in; grant them to the roles that do.
--
--   foldlog_reader     reads streams, the settled order, views; waits for views
--   foldlog_writer     the same, and appends: by the functions alone, with no right on a table
--   foldlog_projector  the same as the reader, and keeps views and checkpoints
--   foldlog_operator   the same as the reader, and marks streams
--
-- The owner is whoever ran the migrations: it alone migrates, freezes and drops segments.

do $$
declare
    the_role text;
begin
    foreach the_role in array array[
        'foldlog_reader', 'foldlog_writer', 'foldlog_projector', 'foldlog_operator']
    loop
        begin
            if to_regrole(the_role) is null then
                execute format('create role %I nologin', the_role);
            end if;
        exception when duplicate_object or unique_violation then
            -- Another database of the cluster makes it at the same time.
            null;
        end;
    end loop;
    foreach the_role in array array['foldlog_writer', 'foldlog_projector', 'foldlog_operator'] loop
        if not pg_has_role(the_role, 'foldlog_reader', 'member') then
            execute format('grant foldlog_reader to %I', the_role);
        end if;
    end loop;
end $$;

-- Grants to the roles whatever of foldlog is installed, and takes it from everybody else's public.
-- Again after each migration, and after a view's table was made by the owner: it changes nothing that
-- is granted already. Only the owner can.
create function foldlog.grant_roles_1() returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
    line record;
    the_schema text;
begin
    revoke all on schema foldlog from public;
    revoke all on all tables in schema foldlog from public;
    revoke all on all sequences in schema foldlog from public;
    revoke all on all functions in schema foldlog from public;
    grant usage on schema foldlog to foldlog_reader;
    for line in
        select r.grantee, p.oid::regprocedure as granted
        from (values
            ('foldlog_reader', array[
                'load_stream_1', 'load_streams_1', 'read_all_1', 'read_stream_1', 'read_stream_back_1',
                'read_streams_1', 'read_query_1', 'read_receipt_1', 'tag_holder_1', 'stream_info_1',
                'stream_holder_1', 'stream_names_1', 'list_streams_1', 'list_categories_1', 'list_marks_1',
                'list_segments_1', 'log_check_1', 'settled_1', 'settled_holder_1']),
            ('foldlog_writer', array[
                'append_1', 'snapshot_keep_1', 'event_type_register_1', 'stream_touch_1',
                'segment_ensure_1']),
            ('foldlog_projector', array['segment_ensure_1']),
            ('foldlog_operator', array['stream_mark_1'])
        ) r(grantee, functions)
        join pg_proc p on p.pronamespace = 'foldlog'::regnamespace and p.proname = any (r.functions)
    loop
        execute format('grant execute on function %s to %I', line.granted, line.grantee);
    end loop;
    for line in
        select r.grantee, r.privileges, to_regclass('foldlog.' || r.name) as granted
        from (values
            ('foldlog_reader', 'select', 'migration'),
            ('foldlog_reader', 'select', 'store'),
            ('foldlog_reader', 'select', 'category'),
            ('foldlog_reader', 'select', 'event_type'),
            ('foldlog_reader', 'select', 'projection'),
            ('foldlog_reader', 'select', 'checkpoint'),
            ('foldlog_projector', 'insert, update', 'projection'),
            ('foldlog_projector', 'insert, update, delete', 'checkpoint')
        ) r(grantee, privileges, name)
        where to_regclass('foldlog.' || r.name) is not null
    loop
        execute format('grant %s on %s to %I', line.privileges, line.granted, line.grantee);
    end loop;
    for the_schema in
        select n.nspname from pg_namespace n where n.nspname in ('foldlog_view', 'foldlog_view_next')
    loop
        execute format('grant usage on schema %I to foldlog_reader', the_schema);
        execute format('grant create on schema %I to foldlog_projector', the_schema);
        for line in
            select c.oid::regclass as granted from pg_class c
            where c.relnamespace = the_schema::regnamespace and c.relkind in ('r', 'p')
                and pg_has_role(c.relowner, 'usage')
        loop
            execute format('grant select on %s to foldlog_reader', line.granted);
            execute format('grant insert, update, delete on %s to foldlog_projector', line.granted);
        end loop;
        -- And those that this role will make.
        execute format(
            'alter default privileges in schema %I grant select on tables to foldlog_reader',
            the_schema);
        execute format(
            'alter default privileges in schema %I grant insert, update, delete on tables'
            ' to foldlog_projector', the_schema);
    end loop;
end $$;

revoke all on all functions in schema foldlog from public;
