-- fill_draw: draws all positions up to one, which must be above the bound.
-- $1 the last position to draw.
select setval('foldlog.event_position', $1)
