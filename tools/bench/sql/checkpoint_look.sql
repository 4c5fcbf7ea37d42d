-- checkpoint_look: how far the view is, by class.
select c.modulus, c.remainder, c.position
from foldlog.checkpoint c
where c.projection = 'balance' and c.version = 1
