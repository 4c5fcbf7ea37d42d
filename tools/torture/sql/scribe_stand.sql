-- scribe_stand: where the batch handler stopped, if at a place not below one, and how many of its
-- classes have passed it.
-- $1 position.
select min(c.stopped_at) filter (where c.stopped_at >= $1),
    count(*) filter (where c.position >= $1)
from foldlog.checkpoint c where c.projection = 'scribe'
