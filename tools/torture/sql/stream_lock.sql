-- stream_lock: nobody can append to a stream until the transaction ends.
-- parameters: $1 the stream. locks: its row. index: stream_pkey.
select s.id from foldlog.stream s where s.id = $1 for update
