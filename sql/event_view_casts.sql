-- event_view_casts: what the columns of event views are read with. Each gives null for what is not
-- of its type, and never fails: an event of an earlier shape must not take the view from everybody.
-- The schema's name stands for whatever schema the views are made in. No parameters, no locks.
create or replace function foldlog_views.as_bigint(text) returns bigint
language sql immutable parallel safe
return case when $1 ~ '^-?[0-9]{1,19}$' then
    case when $1::numeric between -9223372036854775808 and 9223372036854775807 then $1::bigint end
end;

create or replace function foldlog_views.as_numeric(text) returns numeric
language sql immutable parallel safe
return case when $1 ~ '^-?[0-9]{1,40}$' then $1::numeric end;

-- What is too large for the type, or too close to zero, raises in a cast.
create or replace function foldlog_views.as_double(text) returns double precision
language sql immutable parallel safe
return case when $1 ~ '^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]{1,3})?$' then
    case when $1::numeric = 0 or abs($1::numeric) between 4.95e-324 and 1.7976931348623157e308
        then $1::double precision
    end
end;

create or replace function foldlog_views.as_boolean(text) returns boolean
language sql immutable parallel safe
return case $1 when 'true' then true when 'false' then false end;

create or replace function foldlog_views.as_uuid(text) returns uuid
language sql immutable parallel safe
return case when $1 ~ '^[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}$' then $1::uuid end;

create or replace function foldlog_views.as_date(text) returns date
language sql stable parallel safe
return case when $1 ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' and $1 >= '0001' then
    case when substr($1, 9, 2)::integer
            <= extract(day from (substr($1, 1, 7) || '-01')::date + interval '1 month - 1 day')
        then $1::date
    end
end;

create or replace function foldlog_views.as_timestamp(text) returns timestamptz
language sql stable parallel safe
return case when substr($1, 11)
        ~ '^[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?([Zz]|[-+](0[0-9]|1[0-4]):?[0-5][0-9])$'
    then case when foldlog_views.as_date(substr($1, 1, 10)) is not null then $1::timestamptz end
end;

create or replace function foldlog_views.as_json(json) returns json
language sql immutable parallel safe
return case when json_typeof($1) <> 'null' then $1 end;
