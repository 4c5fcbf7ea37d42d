-- checkpoint_reached: whether every projection has come to a position.
-- $1 position.
select coalesce(bool_and(c.position >= $1), false) from foldlog.checkpoint c
