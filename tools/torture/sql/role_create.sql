-- role_create: who a worker process is to the audit. {place} stands for its place in the crew.
create role worker_{place} superuser login
