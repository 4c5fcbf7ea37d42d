-- retention_next: the next statement towards the end of the segments that are not kept, and whether a
-- segment is gone with it; no row at the end.
-- No parameters. Locks: none. Index: none, the catalog is read.
select n.statement, n.ends
from foldlog.retention_next_1() n
