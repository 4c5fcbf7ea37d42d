-- snapshot_hold: a transaction whose snapshot keeps every dead row from being cleared away.
begin isolation level repeatable read;
select count(*) from foldlog.log
