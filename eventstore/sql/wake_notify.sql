-- wake_notify: wakes the readers of other processes.
-- $1 the process that appended. Locks: the server's notification queue, during the commit; so it
-- runs in a transaction of its own, never in an append's.
select pg_notify('foldlog_event', $1)
