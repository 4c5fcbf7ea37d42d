-- transaction_prepare: leaves the open transaction to whoever resolves it.
-- parameters: {gid}, a quoted name. locks: those of the transaction stay.
prepare transaction {gid}
