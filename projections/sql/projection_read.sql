-- projection_read: what is known of a projection, newest version first.
-- $1 name. Locks: none. Index: projection_pkey.
select p.version, p.definition, p.state
from foldlog.projection p
where p.name = $1
order by p.version desc
