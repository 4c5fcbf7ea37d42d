-- deadlock_patience: the other one in a deadlock looks for it first, and no wait is long. Two
-- statements.
-- parameters: none. locks: none.
set local deadlock_timeout = '30s';
set local lock_timeout = '1500ms'
