//! What must be true of every refusal.

use foldlog_core::{Error, ErrorKind};

use crate::input::MARK;

/// The longest name that may be stored, said once more: the targets do not ask the code that they test.
pub(crate) const NAME_BYTES: usize = 255;

/// A sentence of this kind that names the thing.
pub(crate) fn refused(error: &Error, kind: ErrorKind, names: &str) {
    let sentence = error.to_string();
    assert_eq!(error.kind(), kind, "{sentence}");
    assert!(sentence.contains(names), "{names:?} is not named: {sentence}");
    assert!(!format!("{sentence} {error:?}").contains(MARK), "a payload is quoted: {error:?}");
    assert!(!sentence.ends_with('.'), "a sentence without a full stop: {sentence}");
}

/// Whether PostgreSQL can hold it as a name.
pub(crate) fn is_storable(text: &str) -> bool {
    text.len() <= NAME_BYTES && !text.bytes().any(|byte| byte == 0)
}
