-- echo: the parameter.
-- parameters: $1 a number. locks: none. index: none.
select $1::bigint
