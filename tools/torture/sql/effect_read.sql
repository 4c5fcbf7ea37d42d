-- effect_read: what the batch handler wrote, in the order of its writing.
select f.mark, f.stream, f.version, f.position from torture.effect f order by f.id
