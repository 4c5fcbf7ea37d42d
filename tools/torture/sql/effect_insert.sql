-- effect_insert: writes down each event that the batch handler took in. Nothing refuses a second row.
-- $1 marks, $2 streams, $3 versions, $4 positions.
insert into torture.effect (mark, stream, version, position)
select e.mark, e.stream, e.version, e.position
from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
    with ordinality e(mark, stream, version, position, place)
order by e.place
