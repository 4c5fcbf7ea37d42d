-- unguard: what lets an owner by, said by another. No parameters.
set local foldlog.unguarded = on
