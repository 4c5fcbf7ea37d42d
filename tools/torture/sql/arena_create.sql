-- arena_create: the tables of a schedule beside foldlog's own, and the audit of every checkpoint.
-- Several statements; no parameters.
create schema torture;

-- Rows of the users' own, written in the transactions of their appends.
create table torture.business (id bigint generated always as identity primary key, note text);

-- Marks that the batch handler refuses.
create table torture.poison (mark bigint primary key);

-- What the batch handler wrote, in the order of its writing for each stream.
create table torture.effect (
    id bigint generated always as identity primary key,
    mark bigint not null,
    stream text not null,
    version bigint not null,
    position bigint not null
);

-- Numbered under the lock of the checkpoint's row: for one class the numbers are the order.
create table torture.audit (
    id bigint generated always as identity primary key,
    projection text not null,
    modulus integer not null,
    remainder integer not null,
    role text not null,
    old_epoch bigint not null,
    new_epoch bigint not null,
    old_position bigint not null,
    new_position bigint not null
);

create function torture.checkpoint_audit() returns trigger language plpgsql as $$
begin
    insert into torture.audit (projection, modulus, remainder, role, old_epoch, new_epoch,
        old_position, new_position)
    values (new.projection, new.modulus, new.remainder, session_user, old.epoch, new.epoch,
        old.position, new.position);
    return null;
end $$;

create trigger checkpoint_audit after update on foldlog.checkpoint
    for each row when (old.epoch <> new.epoch or old.position <> new.position)
    execute function torture.checkpoint_audit();
