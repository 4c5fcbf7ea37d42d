-- import_finish: marks an import whose input has come to its end.
-- $1 name. Locks: its row. Index: import_pkey.
select foldlog.import_finish_1($1)
