-- poison_delete: the cause is mended.
-- $1 mark.
delete from torture.poison p where p.mark = $1
