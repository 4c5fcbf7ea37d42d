-- poison_find: a mark of these that is listed as poison, if there is one.
-- $1 marks. Index: poison_pkey.
select p.mark from torture.poison p where p.mark = any ($1) limit 1
