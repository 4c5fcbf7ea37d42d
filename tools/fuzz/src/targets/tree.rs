//! JSON that is taken apart to be compared.

use foldlog_core::given::kit::Tree;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::input::text;

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
    match Tree::read(&text) {
        Ok(tree) => {
            assert!(is_json, "{text:?} is no JSON");
            assert_eq!(tree.difference(&tree), None);
            let _shown = tree.to_string();
        }
        // It may still hold a text that is half a character, or be too deep.
        Err(_) => {
            assert!(!is_json || serde_json::from_str::<Value>(&text).is_err(), "{text:?}");
        }
    }
    // How it is laid out does not matter, nor does the order of its fields.
    let Ok(value) = serde_json::from_str::<Value>(&text) else { return };
    let short = Tree::read(&serde_json::to_string(&value).unwrap()).unwrap();
    let long = Tree::read(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
    assert_eq!(short.difference(&long), None);
    // And what differs does so in both directions.
    let null = Tree::read("null").unwrap();
    assert_eq!(short.difference(&null).is_none(), value.is_null());
    assert_eq!(null.difference(&short).is_none(), value.is_null());
}
