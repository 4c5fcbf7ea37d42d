-- business_insert: a row of the user's own; from here on the transaction has its id.
-- $1 note.
insert into torture.business (note) values ($1)
