-- deadlock_patience: the other one in a deadlock looks for it first.
-- parameters: none. locks: none.
set local deadlock_timeout = '30s'
