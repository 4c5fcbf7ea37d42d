-- Event views of foldlog: one for each type of event, read-only. Written by a program: a
-- change by hand is lost.
begin;
do $$ begin perform pg_advisory_xact_lock(28832958956466023); end $$;

set local search_path = pg_catalog;
set local lock_timeout = '10s';
create schema if not exists "foldlog_views";

-- event_view_casts: what the columns of event views are read with. Each gives null for what is not
-- of its type, and never fails: an event of an earlier shape must not take the view from everybody.
-- The schema's name stands for whatever schema the views are made in. No parameters, no locks.
drop view if exists "foldlog_views"."client_registered";
create view "foldlog_views"."client_registered" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload",
    "foldlog_views".as_json(e.payload -> 'address') as "address",
    e.payload ->> 'grade' as "grade",
    "foldlog_views".as_boolean(e.payload ->> 'is_vip') as "is_vip",
    e.payload ->> 'name' as "name",
    e.payload ->> 'payload' as "payload_payload",
    "foldlog_views".as_uuid(e.payload ->> 'reference') as "reference",
    "foldlog_views".as_double(e.payload ->> 'score') as "score",
    "foldlog_views".as_bigint(e.payload ->> 'select') as "select",
    "foldlog_views".as_json(e.payload -> 'tags') as "tags",
    "foldlog_views".as_bigint(e.payload ->> 'version') as "payload_version",
    "foldlog_views".as_numeric(e.payload ->> 'visits') as "visits"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = 'Registered';
comment on view "foldlog_views"."client_registered" is 'Events of type Registered of category client

drop view if exists "foldlog_views"."client_moved";
create view "foldlog_views"."client_moved" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload",
    e.payload ->> 'city' as "city",
    "foldlog_views".as_bigint(e.payload ->> 'houseNumber') as "house_number"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = 'Moved';
comment on view "foldlog_views"."client_moved" is 'Events of type Moved of category client

drop view if exists "foldlog_views"."client_renamed";
create view "foldlog_views"."client_renamed" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload",
    e.payload #>> '{}' as "value"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = 'Renamed';
comment on view "foldlog_views"."client_renamed" is 'Events of type Renamed of category client

drop view if exists "foldlog_views"."client_counted";
create view "foldlog_views"."client_counted" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload",
    "foldlog_views".as_bigint(e.payload #>> '{}') as "value"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = 'Counted';
comment on view "foldlog_views"."client_counted" is 'Events of type Counted of category client

drop view if exists "foldlog_views"."client_located";
create view "foldlog_views"."client_located" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload",
    "foldlog_views".as_json(e.payload) as "value"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = 'Located';
comment on view "foldlog_views"."client_located" is 'Events of type Located of category client

drop view if exists "foldlog_views"."client_planted";
create view "foldlog_views"."client_planted" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload",
    "foldlog_views".as_json(e.payload -> 'below') as "below",
    e.payload ->> 'leaf' as "leaf"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = 'Planted';
comment on view "foldlog_views"."client_planted" is 'Events of type Planted of category client

drop view if exists "foldlog_views"."client_paid";
create view "foldlog_views"."client_paid" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload",
    e.payload ->> 'by' as "by",
    "foldlog_views".as_bigint(e.payload ->> 'cents') as "cents",
    e.payload ->> 'last_four' as "last_four"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = 'Paid';
comment on view "foldlog_views"."client_paid" is 'Events of type Paid of category client

drop view if exists "foldlog_views"."client_x_drop_table_foldlog_event";
create view "foldlog_views"."client_x_drop_table_foldlog_event" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload",
    "foldlog_views".as_bigint(e.payload ->> e'it''s "quoted" \\ and -- more') as "it_s_quoted_and_more"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = e'x''; drop table foldlog.event; --"\\';
comment on view "foldlog_views"."client_x_drop_table_foldlog_event" is e'Events of type x''; drop table foldlog.event; --"\\ of category client

drop view if exists "foldlog_views"."client_closed";
create view "foldlog_views"."client_closed" with (security_barrier) as
select
    s.tenant as "tenant",
    s.name as "stream",
    substr(s.name, strpos(s.name, '-') + 1) as "stream_key",
    e.version as "version",
    e.position as "position",
    e.recorded_at as "recorded_at",
    e.event_id as "event_id",
    e.metadata ->> 'correlation_id' as "correlation_id",
    e.metadata ->> 'causation_id' as "causation_id",
    t.schema_version as "schema_version",
    e.metadata as "metadata",
    e.payload as "payload"
from foldlog.event e
join foldlog.stream s on s.id = e.stream_id
join foldlog.event_type t on t.id = e.type_id
join foldlog.category c on c.id = t.category_id
where c.name = 'client' and t.name = 'Closed';
comment on view "foldlog_views"."client_closed" is 'Events of type Closed of category client

grant usage on schema "foldlog_views" to "reporting";
grant execute on function "foldlog_views".as_bigint(text) to "reporting";
grant execute on function "foldlog_views".as_numeric(text) to "reporting";
grant execute on function "foldlog_views".as_double(text) to "reporting";
grant execute on function "foldlog_views".as_boolean(text) to "reporting";
grant execute on function "foldlog_views".as_uuid(text) to "reporting";
grant execute on function "foldlog_views".as_date(text) to "reporting";
grant execute on function "foldlog_views".as_timestamp(text) to "reporting";
grant execute on function "foldlog_views".as_json(json) to "reporting";
grant select on "foldlog_views"."client_registered" to "reporting";
grant select on "foldlog_views"."client_moved" to "reporting";
grant select on "foldlog_views"."client_renamed" to "reporting";
grant select on "foldlog_views"."client_counted" to "reporting";
grant select on "foldlog_views"."client_located" to "reporting";
grant select on "foldlog_views"."client_planted" to "reporting";
grant select on "foldlog_views"."client_paid" to "reporting";
grant select on "foldlog_views"."client_x_drop_table_foldlog_event" to "reporting";
grant select on "foldlog_views"."client_closed" to "reporting";

commit;
