-- class_advance: moves a checkpoint, fenced.
-- $1 projection, $2 remainder, $3 epoch, $4 old position, $5 new position.
update foldlog.checkpoint c
set position = $5
where c.projection = $1 and c.remainder = $2 and c.epoch = $3 and c.position = $4
