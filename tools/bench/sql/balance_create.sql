-- balance_create: where the limit puts its balances.
create schema plain;
create table plain.balance (
    tenant text collate "C" not null,
    account text collate "C" not null,
    cents bigint not null,
    events bigint not null,
    primary key (tenant, account)
)
