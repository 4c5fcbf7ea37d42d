//! States that were stored.

use foldlog::Identifies as _;

use crate::domain::Number;
use crate::input::text;

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let rule = Number::snapshots().unwrap();
    // What can't be read back as it was written is not stored.
    if rule.reads_back(&text) {
        rule.read(&text).unwrap();
    }
    let Ok(state) = rule.read(&text) else { return };
    let written = rule.write(&state).unwrap();
    assert_eq!(rule.read(&written).unwrap(), state, "{written}");
    assert!(rule.reads_back(&written), "{written}");
}
