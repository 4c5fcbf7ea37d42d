-- event_analyze: plans are made anew.
-- parameters: none. locks: share update exclusive on each table in turn.
analyze foldlog.stream, foldlog.event, foldlog.receipt, foldlog.checkpoint
