-- class_advance_unfenced: moves a checkpoint, whoever owns it and wherever it stands.
-- $1 projection, $2 remainder, $3 epoch and $4 old position (not asked for), $5 new position.
update foldlog.checkpoint c
set position = greatest(c.position, $5)
where c.projection = $1 and c.remainder = $2
    and $3::bigint is not null and $4::bigint is not null
