-- event_vacuum: old transaction ids of everything that an append writes are frozen.
-- parameters: none. locks: share update exclusive on each table in turn.
vacuum (freeze) foldlog.stream, foldlog.event, foldlog.receipt, foldlog.checkpoint
