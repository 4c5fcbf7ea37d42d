-- audit_read: every change of a checkpoint; for one class in the order in which they were made.
select a.projection, a.modulus, a.remainder, a.role, a.old_epoch, a.new_epoch, a.old_position,
    a.new_position
from torture.audit a order by a.id
