-- prepared_commit: a prepared transaction takes effect.
-- parameters: {gid}, a quoted name. locks: those of the transaction end.
commit prepared {gid}
