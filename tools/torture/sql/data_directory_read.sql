-- data_directory_read: which server this is.
-- parameters: none. locks: none.
select pg_catalog.current_setting('data_directory')
