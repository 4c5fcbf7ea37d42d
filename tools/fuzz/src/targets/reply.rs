//! Replies that were kept for the repetition of a command.

use foldlog_core::ErrorKind;
use uuid::Uuid;

use crate::input::{json, marked, text};
use crate::judge::refused;

#[path = "../../../../src/execute/kept.rs"]
mod kept;

use kept::Kept;

type Reply = (Option<u64>, Vec<String>, Result<i8, char>);

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let Some(reply) = json(&text) else { return };
    let kept = Kept::<Reply>::new(Uuid::from_u128(7));
    let names = kept.id.to_string();
    match kept.read(Some(&reply)) {
        Ok(read) => {
            let written = kept.write(&read).unwrap();
            assert_eq!(kept.read(Some(&written)).unwrap(), read);
        }
        Err(error) => refused(&error, ErrorKind::Decode, &names),
    }
    let Some(marked) = marked(&reply) else { return };
    if let Err(error) = kept.read(Some(&marked)) {
        refused(&error, ErrorKind::Decode, &names);
    }
}
