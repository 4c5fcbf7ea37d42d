//! Columns of an event view: what the JSON Schema says of a payload, in types of PostgreSQL.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::name::{Names, snake};

/// A schema that refers to itself is followed so far.
const DEPTH_MAX: usize = 16;
/// And so many of its parts are looked at: one that refers to itself in several branches has more of
/// them than anybody can wait for.
const STEPS_MAX: u32 = 100_000;

/// How far a schema has been followed.
#[derive(Clone, Copy)]
struct Walk<'w> {
    depth: usize,
    steps: &'w Cell<u32>,
}

impl Walk<'_> {
    /// One level further down; none if that is too far.
    fn down(self) -> Option<Self> {
        self.steps.set(self.steps.get() + 1);
        let near = self.depth < DEPTH_MAX && self.steps.get() < STEPS_MAX;
        near.then_some(Self { depth: self.depth + 1, ..self })
    }

    /// The same from a property on, which has a schema of its own.
    fn anew(self) -> Self {
        Self { depth: 0, ..self }
    }
}

/// A column with a part of the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The property; none for the payload itself.
    pub(super) property: Option<String>,
    pub(super) kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Bigint,
    Numeric,
    Double,
    Boolean,
    Uuid,
    Timestamp,
    Date,
    Json,
}

/// The schema of one type's payload, within that of all events of its category in serde's default
/// form. None for a type without a payload, and for one that the schema does not know.
pub(super) fn payload<'s>(root: &'s Value, kind: &str) -> Option<&'s Value> {
    fn within<'s>(root: &'s Value, at: &'s Value, kind: &str, walk: Walk<'_>) -> Option<&'s Value> {
        let down = walk.down()?;
        let at = resolved(root, at);
        let own = at.get("properties").and_then(|properties| properties.get(kind));
        own.or_else(|| branches(at).find_map(|branch| within(root, branch, kind, down)))
    }
    within(root, root, kind, Walk { depth: 0, steps: &Cell::new(0) })
}

/// The columns of a payload, by the names of its properties; `taken` holds the names of the columns
/// that every event view has.
pub(super) fn columns(root: &Value, payload: Option<&Value>, taken: &mut Names) -> Vec<Column> {
    let Some(payload) = payload.filter(|payload| !is_empty(root, payload)) else {
        return Vec::new();
    };
    let mut properties = BTreeMap::new();
    let (first, second) = (Cell::new(0), Cell::new(0));
    let walk = |steps| Walk { depth: 0, steps };
    if !collect(root, payload, &mut properties, walk(&first)) || properties.is_empty() {
        let kind = kind_of(root, payload, walk(&second));
        return kind
            .map(|kind| Column { name: taken.give("value", "value"), property: None, kind })
            .into_iter()
            .collect();
    }
    // PostgreSQL holds no NUL: nor does a stored event.
    let properties = properties.into_iter().filter(|(property, _)| !property.contains('\0'));
    let fixed = taken.clone();
    let column = |(property, kind): (&str, Kind)| {
        let mut wanted = snake(property);
        if fixed.is_given(&wanted) {
            wanted.insert_str(0, "payload_");
        }
        let name = taken.give(&wanted, property);
        Column { name, property: Some(property.to_owned()), kind }
    };
    properties.map(column).collect()
}

/// Whether it is an object without properties, and not one of any properties either.
fn is_empty(root: &Value, schema: &Value) -> bool {
    let schema = resolved(root, schema);
    let any = schema.get("additionalProperties").is_some_and(|any| any != &Value::Bool(false));
    schema.get("type").is_some_and(|name| name == "object")
        && !any
        && schema.get("properties").is_none()
        && branches(schema).next().is_none()
}

/// The properties of an object, or of each of several objects. False if it may be anything else.
fn collect<'s>(
    root: &'s Value,
    schema: &'s Value,
    found: &mut BTreeMap<&'s str, Kind>,
    walk: Walk<'_>,
) -> bool {
    let Some(down) = walk.down() else { return false };
    let schema = resolved(root, schema);
    let mut is_object = false;
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        is_object = true;
        for (name, property) in properties {
            // One that is always null says nothing of its type.
            let kind = kind_of(root, property, walk.anew()).unwrap_or(Kind::Json);
            found
                .entry(name)
                .and_modify(|known| *known = if *known == kind { kind } else { Kind::Json })
                .or_insert(kind);
        }
    }
    for branch in branches(schema) {
        if !collect(root, branch, found, down) {
            return false;
        }
        is_object = true;
    }
    is_object
}

/// What a value is; none if it is always null.
fn kind_of(root: &Value, schema: &Value, walk: Walk<'_>) -> Option<Kind> {
    let schema = resolved(root, schema);
    let Some(object) = schema.as_object() else { return Some(Kind::Json) };
    let Some(down) = walk.down() else { return Some(Kind::Json) };
    let types: Vec<&str> = match object.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ if object.contains_key("enum") || object.contains_key("const") => {
            return constant(object);
        }
        _ => {
            let kinds = branches(schema).map(|branch| kind_of(root, branch, down));
            let kinds: Vec<Kind> = kinds.flatten().collect();
            let is_nothing = kinds.is_empty() && branches(schema).next().is_some();
            return if is_nothing { None } else { Some(joined(&kinds)) };
        }
    };
    let format = object.get("format").and_then(Value::as_str).unwrap_or_default();
    let kinds = types.iter().filter(|&&name| name != "null").map(|name| scalar(name, format));
    let kinds: Vec<Kind> = kinds.collect();
    (!kinds.is_empty()).then(|| joined(&kinds))
}

fn constant(object: &Map<String, Value>) -> Option<Kind> {
    let several = object.get("enum").and_then(Value::as_array);
    let values = several.into_iter().flatten().chain(object.get("const"));
    let kinds: Vec<Kind> = values
        .filter(|value| !value.is_null())
        .map(|value| if value.is_string() { Kind::Text } else { Kind::Json })
        .collect();
    (!kinds.is_empty()).then(|| joined(&kinds))
}

fn scalar(name: &str, format: &str) -> Kind {
    match (name, format) {
        ("string", "uuid") => Kind::Uuid,
        ("string", "date-time") => Kind::Timestamp,
        ("string", "date") => Kind::Date,
        ("string", _) => Kind::Text,
        (
            "integer",
            "int8" | "int16" | "int32" | "int64" | "int" | "uint8" | "uint16" | "uint32",
        ) => Kind::Bigint,
        // An integer without a format, or of more than 63 bits.
        ("integer", _) => Kind::Numeric,
        ("number", _) => Kind::Double,
        ("boolean", _) => Kind::Boolean,
        _ => Kind::Json,
    }
}

/// What may be one of several.
fn joined(kinds: &[Kind]) -> Kind {
    match kinds {
        [] => Kind::Json,
        [first, rest @ ..] if rest.iter().all(|kind| kind == first) => *first,
        // A number or a text, say: the text of either.
        _ if !kinds.contains(&Kind::Json) => Kind::Text,
        _ => Kind::Json,
    }
}

/// Schemas of which one or all hold.
fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf", "allOf"]
        .iter()
        .filter_map(|key| schema.get(key).and_then(Value::as_array))
        .flatten()
}

fn resolved<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    for _ in 0..DEPTH_MAX {
        let Some(target) = schema.get("$ref").and_then(Value::as_str) else { break };
        let Some(found) = target.strip_prefix('#').and_then(|path| root.pointer(path)) else {
            break;
        };
        schema = found;
    }
    schema
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn kinds(payload: &Value) -> Vec<(String, Kind)> {
        let columns = columns(payload, Some(payload), &mut Names::default());
        columns.into_iter().map(|column| (column.name, column.kind)).collect()
    }

    #[test]
    fn a_value_is_a_column_of_its_type() {
        for (schema, kind) in [
            (json!({"type": "integer", "format": "uint8"}), Kind::Bigint),
            (json!({"type": "integer", "format": "uint"}), Kind::Numeric),
            (json!({"type": ["number", "null"]}), Kind::Double),
            (json!({"type": ["string", "number"]}), Kind::Text),
            (json!({"enum": ["a", "b", null]}), Kind::Text),
            (json!({"const": 5}), Kind::Json),
            (
                json!({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}),
                Kind::Date,
            ),
            (json!({"oneOf": [{"const": "a"}, {"type": "string"}]}), Kind::Text),
            (json!({"allOf": [{"type": "boolean"}]}), Kind::Boolean),
            (json!({"type": "array"}), Kind::Json),
            (json!({"type": "object", "additionalProperties": {"type": "string"}}), Kind::Json),
            (json!({"$ref": "#/nowhere"}), Kind::Json),
            (json!({"$ref": "#"}), Kind::Json),
            (json!({"anyOf": [{"$ref": "#"}]}), Kind::Json),
            (json!(true), Kind::Json),
        ] {
            assert_eq!(kinds(&schema), [("value".to_owned(), kind)], "{schema}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_in_many_branches_comes_to_an_end() {
        let itself = json!({"$ref": "#"});
        let schema = json!({"anyOf": vec![&itself; 12]});
        assert_eq!(kinds(&schema), [("value".to_owned(), Kind::Json)]);
        assert_eq!(payload(&schema, "Opened"), None);
        let property = json!({"properties": {"a": itself}, "anyOf": vec![&itself; 12]});
        assert_eq!(kinds(&property), [("value".to_owned(), Kind::Json)]);
    }

    #[test]
    fn a_name_that_every_view_has_is_told_from_one_that_two_properties_have() {
        let mut taken = Names::default();
        taken.give("version", "version");
        let property = json!({"type": "string"});
        let properties =
            json!({"ownerName": property, "owner_name": property, "version": property});
        let schema = json!({"properties": properties});
        let columns = columns(&schema, Some(&schema), &mut taken);
        let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
        let [first, second, version] = names[..] else { panic!("{names:?}") };
        assert_eq!((first, version), ("owner_name", "payload_version"));
        assert!(second.starts_with("owner_name_") && second.len() == 19, "{second}");
    }

    #[test]
    fn what_holds_nothing_has_no_column() {
        for schema in [
            json!({"type": "object"}),
            json!({"type": "object", "additionalProperties": false}),
            json!({"type": "null"}),
            json!({"anyOf": [{"type": "null"}]}),
        ] {
            assert_eq!(kinds(&schema), [], "{schema}");
        }
    }

    #[test]
    fn parts_of_an_object_are_columns_together() {
        let text = json!({"type": "string"});
        let flat = json!({
            "type": "object", "properties": {"a": text},
            "allOf": [{"properties": {"b": {"type": "boolean"}}}],
            "oneOf": [{"properties": {"c": text}}, {"properties": {"c": {"type": "boolean"}}}],
        });
        let named = |names: &[(&str, Kind)]| -> Vec<(String, Kind)> {
            names.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
        };
        let expected = [("a", Kind::Text), ("b", Kind::Boolean), ("c", Kind::Json)];
        assert_eq!(kinds(&flat), named(&expected));
        // An object or a text is a value.
        let mixed = json!({"oneOf": [{"properties": {"c": text}}, text]});
        assert_eq!(kinds(&mixed), named(&[("value", Kind::Json)]));
    }
}
