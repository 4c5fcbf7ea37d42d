-- stream_list: the streams that were appended to last.
-- parameters: $1 how many. locks: none. index: none.
select s.id from foldlog.stream s order by s.last_position desc limit $1
