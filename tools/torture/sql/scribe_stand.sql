-- scribe_stand: where the batch handler's class of a stream stopped, and how many of its other
-- classes have passed a position.
-- $1 stream, $2 position.
select min(c.stopped_at) filter (where s.slice % c.modulus = c.remainder),
    count(*) filter (where c.position >= $2 and s.slice % c.modulus <> c.remainder)
from foldlog.checkpoint c, foldlog.stream s
where c.projection = 'scribe' and s.tenant = '' and s.name = $1
