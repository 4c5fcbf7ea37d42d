-- poison_insert: lists a mark as poison.
-- $1 mark.
insert into torture.poison (mark) values ($1) on conflict do nothing
