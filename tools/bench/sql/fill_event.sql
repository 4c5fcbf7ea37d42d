-- fill_event: new streams of accounts, each with so many events, at the positions drawn before.
-- $1 first account, $2 how many, $3 events of each, $4 the bound: positions follow it without a gap.
-- Nobody else may draw positions or make these streams meanwhile.
with filled as (
    insert into foldlog.stream (
        tenant, name, category_id, slice, known_version, first_position, known_position)
    select '', 'account-' || n.account, c.id, foldlog.slice_of('account-' || n.account), $3::bigint,
        $4::bigint + 1 + n.account - $1::bigint,
        $4::bigint + 1 + n.account - $1::bigint + ($3::bigint - 1) * $2::bigint
    from generate_series($1::bigint, $1::bigint + $2::bigint - 1) n(account)
    join foldlog.category c on c.name = 'account'
    order by n.account
    returning id, slice, first_position
)
insert into foldlog.event (
    position, stream_id, version, recorded_at, event_id, type_id, slice, payload, metadata)
select f.first_position + (v.version - 1) * $2::bigint, f.id, v.version, clock_timestamp(),
    gen_random_uuid(), t.id, f.slice,
    -- As the program writes its events, byte for byte.
    format('{"cents":%s,"note":"%s"}',
        10000 + mod(
            ($1::bigint + f.first_position - $4::bigint - 1) * 7919 + v.version * 104729, 90000),
        repeat('x', 175))::json,
    null
from filled f
cross join generate_series(1::bigint, $3::bigint) v(version)
join foldlog.category c on c.name = 'account'
join foldlog.event_type t
    on t.category_id = c.id and t.name = 'Deposited' and t.schema_version = 1
order by 1
