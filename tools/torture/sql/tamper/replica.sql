-- replica: from here on ordinary triggers don't fire. No parameters.
set local session_replication_role = replica
