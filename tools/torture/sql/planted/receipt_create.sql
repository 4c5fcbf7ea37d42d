-- receipt_create: where a writer notes by itself what it has appended. No parameters.
create table if not exists torture.receipt (
    request bigint primary key,
    versions bigint[] not null,
    positions bigint[] not null
)
