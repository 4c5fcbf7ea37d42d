-- checkpoint: writes all that is dirty to disk. Not in a transaction.
checkpoint
