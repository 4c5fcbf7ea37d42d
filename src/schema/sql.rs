//! The text of event views: the second place where SQL is put together.
//!
//! Names come from a user's types. Each is quoted by [`identifier`] or [`literal`], and nothing else
//! of theirs enters the text; what is fixed stands here or in `sql/event_view_casts.sql`.

use uuid::Uuid;

use super::column::{Column, Kind};

/// One event view: its name, the type it shows, and the columns of the payload.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) category: String,
    pub(super) kind: String,
    pub(super) columns: Vec<Column>,
}

/// The columns that every event view has, in front of those of its payload.
pub(super) const COLUMNS: [(&str, &str); 12] = [
    ("tenant", "s.tenant"),
    ("stream", "s.name"),
    ("stream_key", "substr(s.name, strpos(s.name, '-') + 1)"),
    ("version", "e.version"),
    ("position", "e.position"),
    ("recorded_at", "e.recorded_at"),
    ("event_id", "e.event_id"),
    ("correlation_id", "e.metadata ->> 'correlation_id'"),
    ("causation_id", "e.metadata ->> 'causation_id'"),
    ("schema_version", "t.schema_version"),
    ("metadata", "e.metadata"),
    ("payload", "e.payload"),
];

/// What stands in `event_view_casts.sql` for the name of the schema.
const SCHEMA: &str = "foldlog_views";

/// The whole text, to be run by psql: it changes all or nothing, and may be run again.
pub(super) fn script(schema: &str, readers: &[String], views: &[View]) -> String {
    format!(
        "-- Event views of foldlog: one for each type of event, read-only. Written by a program: a\n\
         -- change by hand is lost.\n\
         begin;\n\
         do $$ begin perform pg_advisory_xact_lock(28832958956466023); end $$;\n\n\
         {}\ncommit;\n",
        statements(schema, readers, views)
    )
}

/// The same without the transaction.
pub(super) fn statements(schema: &str, readers: &[String], views: &[View]) -> String {
    let quoted = identifier(schema);
    let casts = include_str!("../../sql/event_view_casts.sql");
    let casts = casts.replace(&format!("{SCHEMA}."), &format!("{quoted}."));
    // What the text names is foldlog's or the server's, whatever the session would find first; and who
    // reads a view for hours holds up those who change it, but not those behind them.
    let mut text = format!(
        "set local search_path = pg_catalog;\nset local lock_timeout = '10s';\n\
         create schema if not exists {quoted};\n\n{casts}\n"
    );
    for view in views {
        text.push_str(&statement(schema, readers, view));
    }
    let readers: Vec<String> = readers.iter().map(|reader| identifier(reader)).collect();
    if !readers.is_empty() {
        let readers = readers.join(", ");
        text.push_str(&format!("grant usage on schema {quoted} to {readers};\n"));
        // The schema may hold other functions, of yours.
        for line in
            casts.lines().filter_map(|line| line.strip_prefix("create or replace function "))
        {
            let cast = line.split(" returns ").next().unwrap_or(line);
            text.push_str(&format!("grant execute on function {cast} to {readers};\n"));
        }
        for view in views {
            text.push_str(&format!(
                "grant select on {quoted}.{} to {readers};\n",
                identifier(&view.name)
            ));
        }
    }
    text
}

/// What is said of a view in the database: by that it is known whether it is the present one.
pub(super) fn comment(schema: &str, readers: &[String], view: &View) -> String {
    let casts = include_str!("../../sql/event_view_casts.sql");
    let whole = format!("{casts}{readers:?}{}", definition(schema, view));
    let mark = Uuid::new_v5(&Uuid::NAMESPACE_OID, whole.as_bytes()).simple();
    format!("Events of type {} of category {} (foldlog {mark})", view.kind, view.category)
}

/// Whether a view with this comment was made from here.
pub(super) fn is_ours(comment: &str) -> bool {
    comment.contains(" (foldlog ")
}

fn statement(schema: &str, readers: &[String], view: &View) -> String {
    let name = format!("{}.{}", identifier(schema), identifier(&view.name));
    format!(
        "drop view if exists {name};\n{}comment on view {name} is {};\n\n",
        definition(schema, view),
        literal(&comment(schema, readers, view))
    )
}

/// With a security barrier: who may read one view must not see, by a function of his own in a
/// condition, what the view leaves out.
fn definition(schema: &str, view: &View) -> String {
    let fixed = COLUMNS.iter().map(|(name, value)| format!("    {value} as {}", identifier(name)));
    let own = view.columns.iter().map(|column| {
        format!("    {} as {}", expression(schema, column), identifier(&column.name))
    });
    let columns: Vec<String> = fixed.chain(own).collect();
    format!(
        "create view {}.{} with (security_barrier) as\n\
         select\n{}\n\
         from foldlog.event e\n\
         join foldlog.stream s on s.id = e.stream_id\n\
         join foldlog.event_type t on t.id = e.type_id\n\
         join foldlog.category c on c.id = t.category_id\n\
         where c.name = {} and t.name = {};\n",
        identifier(schema),
        identifier(&view.name),
        columns.join(",\n"),
        literal(&view.category),
        literal(&view.kind)
    )
}

fn expression(schema: &str, column: &Column) -> String {
    let cast = match column.kind {
        Kind::Text => None,
        Kind::Bigint => Some("as_bigint"),
        Kind::Numeric => Some("as_numeric"),
        Kind::Double => Some("as_double"),
        Kind::Boolean => Some("as_boolean"),
        Kind::Uuid => Some("as_uuid"),
        Kind::Timestamp => Some("as_timestamp"),
        Kind::Date => Some("as_date"),
        Kind::Json => Some("as_json"),
    };
    let value = match (&column.property, column.kind) {
        (Some(property), Kind::Json) => format!("e.payload -> {}", literal(property)),
        (Some(property), _) => format!("e.payload ->> {}", literal(property)),
        (None, Kind::Json) => "e.payload".to_owned(),
        (None, _) => "e.payload #>> '{}'".to_owned(),
    };
    match cast {
        Some(cast) => format!("{}.{cast}({value})", identifier(schema)),
        None => value,
    }
}

/// A name in quotes, whatever is in it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes, as `quote_literal` writes it: whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("e'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}
