//! Tokens, as text and within JSON.

use foldlog_core::{ErrorKind, Position, StoreId, Token};

use crate::input::text;
use crate::judge::refused;

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let in_json = serde_json::to_string(&*text).unwrap();
    let by_json = serde_json::from_str::<Token>(&in_json);
    match text.parse::<Token>() {
        Ok(token) => {
            assert!(is_one(&text), "{text:?}");
            // One token has one text.
            assert_eq!(token.to_string(), *text);
            assert_eq!(by_json.unwrap(), token);
            assert_eq!(serde_json::to_string(&token).unwrap(), in_json);
        }
        Err(error) => {
            assert!(!is_one(&text), "{text:?}");
            refused(&error, ErrorKind::Invalid, "token");
            assert!(by_json.is_err());
        }
    }
    // What is no text of JSON at all.
    let _any = serde_json::from_slice::<Token>(data);
    written(data);
}

/// The prefix, and 30 characters for 22 bytes, of whose last one two bits count.
fn is_one(text: &str) -> bool {
    let Some(body) = text.strip_prefix("f1.") else { return false };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    body.len() == 30 && body.bytes().all(letter) && body.ends_with(['A', 'Q', 'g', 'w'])
}

/// A token of any numbers comes back, and belongs to nobody else.
fn written(data: &[u8]) {
    let Some((number, rest)) = data.split_first_chunk::<8>() else { return };
    let Some((store, rest)) = rest.split_first_chunk::<8>() else { return };
    let epoch = u32::from(rest.first().copied().unwrap_or_default());
    let store = StoreId { store: *store, epoch };
    let position = Position::new(u64::from_be_bytes(*number));
    let token = Token::new(store, 5, position);
    assert_eq!(token.to_string().parse::<Token>().unwrap(), token);
    assert_eq!(token.position_in(store, 5).unwrap(), position);
    let later = StoreId { epoch: epoch + 1, ..store };
    for error in [token.position_in(later, 5), token.position_in(store, 4)] {
        refused(&error.unwrap_err(), ErrorKind::Foreign, "token");
    }
}
