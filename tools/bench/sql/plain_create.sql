-- plain_create: the tables of the limit, with the indexes of the store's and the rows it holds.
create schema plain;
create table plain.stream (like foldlog.stream including all) with (fillfactor = 70);
create table plain.event (like foldlog.event including all);
create unique index on plain.event (stream_id, version);
create table plain.receipt (like foldlog.receipt including all);
create sequence plain.event_position as bigint start 1 increment 1 cache 1 no cycle;
-- The number of an account is the number of its row here: to look names up is not the limit's work.
insert into plain.stream (
    id, tenant, name, category_id, slice, state, known_version, known_position, first_version,
    first_position, created_at)
overriding system value
select split_part(s.name, '-', 2)::bigint, s.tenant, s.name, s.category_id, s.slice, s.state,
    s.known_version, s.known_position, s.first_version, s.first_position, s.created_at
from foldlog.stream s;
insert into plain.event
select e.position, split_part(s.name, '-', 2)::bigint, e.version, e.recorded_at, e.event_id,
    e.key_id, e.type_id, e.slice, e.payload, e.metadata
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
order by e.position;
select setval('plain.event_position', greatest(1, (select max(e.position) from plain.event e)))
