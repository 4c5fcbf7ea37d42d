//! The table of a view: the one place where SQL is put together at run time.
//!
//! Every name and type passes [`identifier`] or [`sql_type`] first, and names are quoted; everything
//! else is a parameter.
//!
//! A row is kept twice: as the JSON that serde wrote, in `foldlog_row`, from which it is folded on,
//! exact to the byte; and in a column per field, typed, for whoever asks by SQL.

use foldlog_core::{Column, Error, ErrorKind};

/// The columns of a view's key and of its other fields, with the statements on its table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) create: String,
    pub(crate) drop: String,
    /// $1 tenants, $2 rows that hold the keys -> n (1-based place in $1), row, version.
    pub(crate) load: String,
    /// The same, locking each row to the end of the transaction, in the order of the keys.
    pub(crate) load_locked: String,
    /// $1 tenants, $2 rows: makes the rows that are missing, in the order of the keys.
    pub(crate) insert_missing: String,
    /// $1 tenants, $2 rows, $3 positions, $4 versions.
    pub(crate) save: String,
    /// $1 tenants, $2 rows that hold the keys.
    pub(crate) delete: String,
    /// $1 tenant, $2 row that holds the key, $3-$4 projection, version -> row; no row of the answer if
    /// the version is not at work any more.
    pub(crate) read: String,
    /// $1 tenant, $2 row that holds the key, $3-$6 projection, version, modulus, remainder ->
    /// position of the checkpoint, row, version: all of one snapshot; none if the version is not
    /// at work any more.
    pub(crate) read_at_checkpoint: String,
}

impl Table {
    pub(crate) fn new(name: &str, columns: &[Column]) -> Result<Self, Error> {
        identifier(name)?;
        for column in columns {
            identifier(column.name)?;
            sql_type(column)?;
        }
        let table = format!("foldlog_view.\"{name}\"");
        let quoted = |column: &Column| format!("\"{}\"", column.name);
        let keys: Vec<String> = columns.iter().filter(|c| c.key).map(quoted).collect();
        if keys.is_empty() {
            return Err(invalid(format!("view {name} has no key column")));
        }
        let parts = Parts {
            key_list: list(&keys, ""),
            key_values: list(&keys, "r."),
            same_key: same(&keys),
            column_list: list(columns.iter().map(quoted), ""),
            column_values: list(columns.iter().map(quoted), "r."),
            updates: columns
                .iter()
                .filter(|c| !c.key)
                .map(|c| format!("\"{0}\" = excluded.\"{0}\", ", c.name))
                .collect(),
            definitions: columns.iter().map(definition).collect(),
            table,
        };
        Ok(parts.statements())
    }

    /// Drops the table of a view that this program may not know.
    pub(crate) fn drop_statement(name: &str) -> Result<String, Error> {
        identifier(name)?;
        Ok(drop_statement(&format!("foldlog_view.\"{name}\"")))
    }
}

fn drop_statement(table: &str) -> String {
    format!("drop table if exists {table}")
}

struct Parts {
    table: String,
    key_list: String,
    key_values: String,
    same_key: String,
    column_list: String,
    column_values: String,
    updates: String,
    definitions: String,
}

impl Parts {
    fn statements(&self) -> Table {
        let Self { table, key_list, key_values, same_key, column_list, column_values, .. } = self;
        let keyed = format!(
            "from unnest($1::text[], $2::text[]) with ordinality s(tenant, row, n) \
             cross join lateral json_populate_record(null::{table}, s.row::json) r"
        );
        let load = format!(
            "select s.n, t.foldlog_row, t.foldlog_version {keyed} \
             join {table} t on t.tenant = s.tenant and {same_key}"
        );
        Table {
            create: format!(
                "create table {table} (tenant text collate \"C\" not null default '', {} \
                 foldlog_row json not null, foldlog_position bigint not null, \
                 foldlog_version bigint not null, primary key (tenant, {key_list}))",
                self.definitions
            ),
            drop: drop_statement(table),
            load_locked: format!(
                "{load} order by t.tenant, {} for update of t",
                self.locked_order()
            ),
            load,
            insert_missing: format!(
                "insert into {table} (tenant, {column_list}, foldlog_row, foldlog_position, \
                 foldlog_version) select s.tenant, {column_values}, s.row::json, 0, 0 {keyed} \
                 order by s.tenant, {key_values} on conflict do nothing"
            ),
            save: format!(
                "insert into {table} (tenant, {column_list}, foldlog_row, foldlog_position, \
                 foldlog_version) select s.tenant, {column_values}, s.row::json, s.position, \
                 s.version from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) \
                 s(tenant, row, position, version) \
                 cross join lateral json_populate_record(null::{table}, s.row::json) r \
                 order by s.tenant, {key_values} \
                 on conflict (tenant, {key_list}) do update set {} \
                 foldlog_row = excluded.foldlog_row, \
                 foldlog_position = excluded.foldlog_position, \
                 foldlog_version = excluded.foldlog_version",
                self.updates
            ),
            delete: format!(
                "delete from {table} t using (select s.tenant, {key_values} {keyed}) r \
                 where t.tenant = r.tenant and {same_key}"
            ),
            read: format!(
                "select t.foldlog_row from foldlog.projection p \
                 cross join json_populate_record(null::{table}, $2::json) r \
                 left join {table} t on t.tenant = $1 and {same_key} \
                 where p.name = $3 and p.version = $4 and p.state in ('building', 'live')"
            ),
            read_at_checkpoint: format!(
                "select c.position, t.foldlog_row, t.foldlog_version from foldlog.checkpoint c \
                 cross join json_populate_record(null::{table}, $2::json) r \
                 left join {table} t on t.tenant = $1 and {same_key} \
                 where c.projection = $3 and c.version = $4 and c.modulus = $5 and c.remainder = $6 \
                 and exists (select from foldlog.projection p where p.name = c.projection \
                 and p.version = c.version and p.state in ('building', 'live'))"
            ),
        }
    }

    fn locked_order(&self) -> String {
        self.key_values.replace("r.", "t.")
    }
}

fn list(names: impl IntoIterator<Item = impl AsRef<str>>, prefix: &str) -> String {
    let names: Vec<_> = names.into_iter().map(|n| format!("{prefix}{}", n.as_ref())).collect();
    names.join(", ")
}

fn same(keys: &[String]) -> String {
    let pairs: Vec<_> = keys.iter().map(|key| format!("t.{key} = r.{key}")).collect();
    pairs.join(" and ")
}

fn definition(column: &Column) -> String {
    // Text that is part of a key sorts by its bytes, as the keys do in memory.
    let collate = if column.key && column.sql_type == "text" { " collate \"C\"" } else { "" };
    let null = if column.key { " not null" } else { "" };
    format!("\"{}\" {}{collate}{null}, ", column.name, column.sql_type)
}

/// Only plain names: what passes needs no escaping between double quotes.
fn identifier(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if begins_well
        && name.len() <= 50
        && name.chars().all(plain)
        && name != "tenant"
        && !name.starts_with("foldlog_")
    {
        return Ok(());
    }
    Err(invalid(format!(
        "{name:?} can't name a view or a column of one: use lower-case letters, digits and _, at \
         most 50, not \"tenant\" and not beginning with \"foldlog_\""
    )))
}

fn sql_type(column: &Column) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _,()[]".contains(c);
    if !column.sql_type.is_empty() && column.sql_type.chars().all(plain) {
        return Ok(());
    }
    Err(invalid(format!("{:?} can't be the type of column {}", column.sql_type, column.name)))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_need_escaping_are_refused() {
        let column = |name, sql_type| Column { name, sql_type, key: true };
        for name in ["", "a\"b", "A", "1a", "tenant", "foldlog_row", "ä", "a b", "a;b"] {
            assert!(Table::new(name, &[column("k", "text")]).is_err(), "{name:?}");
            assert!(Table::new("v", &[column(name, "text")]).is_err(), "{name:?}");
        }
        for sql_type in ["", "text; drop", "text\"", "text--", "te'xt"] {
            assert!(Table::new("v", &[column("k", sql_type)]).is_err(), "{sql_type:?}");
        }
        assert!(Table::new("v", &[column("k", "numeric(12, 2)")]).is_ok());
        assert!(Table::new("v", &[]).is_err());
    }
}
