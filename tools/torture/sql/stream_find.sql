-- stream_find: a stream's number.
-- parameters: $1 its name. locks: none. index: none.
select s.id from foldlog.stream s where s.name = $1
