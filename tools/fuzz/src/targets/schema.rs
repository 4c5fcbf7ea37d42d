//! JSON Schemas of payloads, as columns of an event view.

use std::collections::HashSet;

use serde_json::Value;

use crate::input::{parted, text};

#[path = "../../../../src/schema/column.rs"]
#[allow(dead_code, reason = "it is used where it is from")]
mod column;
#[path = "../../../../src/schema/name.rs"]
#[allow(dead_code, reason = "it is used where it is from")]
mod name;

use name::{Names, snake};

/// The name of a type, a line end, and the schema of the events of its category.
pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let (kind, schema) = parted(&text);
    let snake = snake(kind);
    assert!(!snake.is_empty() && !snake.contains(['"', '\'', '\\', '\0', ' ', ';']), "{snake:?}");
    let Ok(root) = serde_json::from_str::<Value>(schema) else { return };
    let payload = column::payload(&root, kind);
    for payload in [payload, Some(&root), None] {
        let mut taken = Names::default();
        taken.give("version", "version");
        let columns = column::columns(&root, payload, &mut taken);
        let mut names = HashSet::from(["version"]);
        for column in &columns {
            assert!(names.insert(&column.name), "{} is given twice", column.name);
            assert!((1..=63).contains(&column.name.len()), "{}", column.name);
            assert!(!column.name.contains(['"', '\'', '\0']), "{:?}", column.name);
            let property = column.property.as_deref().unwrap_or_default();
            assert!(!property.contains('\0'), "{property:?}");
        }
        // The same schema makes the same columns: views are made again and again.
        let mut taken = Names::default();
        taken.give("version", "version");
        assert_eq!(column::columns(&root, payload, &mut taken), columns);
    }
}
