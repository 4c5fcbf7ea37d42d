-- stream_list: the streams that were appended to last.
-- parameters: $1 how many. locks: none. index: none.
select distinct e.stream_id
from (select v.stream_id from foldlog.event v order by v.position desc limit $1) e
