-- copy_session: room for the streams in memory, so that the order comes from the index alone.
set work_mem = '256MB';
set enable_sort = off
