-- prepared_rollback: a prepared transaction leaves nothing.
-- parameters: {gid}, a quoted name. locks: those of the transaction end.
rollback prepared {gid}
