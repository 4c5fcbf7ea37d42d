-- The slice of a stream: murmur2 over the bytes of its name, as Kafka places a key.
-- Computed once, when the stream is created. foldlog_core::slice_of is its twin.
create function foldlog.slice_of(name text) returns smallint
language plpgsql immutable strict set search_path = pg_catalog, pg_temp
as $$
declare
    m constant bigint := 1540483477;
    mask constant bigint := 4294967295;
    data constant bytea := convert_to(name, 'UTF8');
    size constant integer := octet_length(data);
    h bigint := (2538058380 # size) & 4294967295;
    k bigint;
    i integer := 0;
begin
    -- All products stay below 2^63: 32 bits times 31 bits.
    while i + 4 <= size loop
        k := get_byte(data, i)::bigint
            | (get_byte(data, i + 1)::bigint << 8)
            | (get_byte(data, i + 2)::bigint << 16)
            | (get_byte(data, i + 3)::bigint << 24);
        k := (k * m) & mask;
        k := k # (k >> 24);
        k := (k * m) & mask;
        h := ((h * m) & mask) # k;
        i := i + 4;
    end loop;
    if i < size then
        for j in 0 .. size - i - 1 loop
            h := h # (get_byte(data, i + j)::bigint << (8 * j));
        end loop;
        h := (h * m) & mask;
    end if;
    h := h # (h >> 13);
    h := (h * m) & mask;
    h := h # (h >> 15);
    return ((h & 2147483647) % 1024)::smallint;
end $$;
