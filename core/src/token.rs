//! Tokens: opaque proofs of "up to here", safe to hand to a client and take back.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::error::{Error, ErrorKind};
use crate::position::Position;

/// Which life of which store: a token of another one must never be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreId {
    /// The first eight bytes of the store's uuid.
    pub store: [u8; 8],
    /// Counts the recoveries of the store: positions of an earlier epoch may have been given again.
    pub epoch: u32,
}

impl StoreId {
    /// The id of a store by its uuid and epoch.
    #[must_use]
    pub fn new(uuid: Uuid, epoch: u32) -> Self {
        let mut store = [0; 8];
        store.iter_mut().zip(uuid.as_bytes()).for_each(|(to, from)| *to = *from);
        Self { store, epoch }
    }
}

/// "Everything up to and including this append", as an opaque text.
///
/// A token comes from an append and goes to a read, which then waits until its view holds that
/// append. It survives a trip through JSON, a header or a cookie; [`Display`](fmt::Display) and
/// [`FromStr`] undo each other. It is no secret and no proof of permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    store: StoreId,
    log: u16,
    position: Position,
}

// The text is "f1." and base64url of: store (8 bytes), epoch (4), log (2), position (8), big endian.
const PREFIX: &str = "f1.";
const BYTES: usize = 22;

impl Token {
    /// The token of a position of a log (0 is the event store).
    #[must_use]
    pub fn new(store: StoreId, log: u16, position: Position) -> Self {
        Self { store, log, position }
    }

    /// The position, if the token belongs to this log of this life of this store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Foreign`] otherwise, saying which of the three differs.
    pub fn position_in(&self, store: StoreId, log: u16) -> Result<Position, Error> {
        let differs = if self.store.store != store.store {
            "another store"
        } else if self.store.epoch != store.epoch {
            "an earlier or later life of this store, before or after a recovery"
        } else if self.log != log {
            "another log of this store"
        } else {
            return Ok(self.position);
        };
        Err(Error::new(
            ErrorKind::Foreign,
            format!("the token {self} belongs to {differs}: drop it and read without one"),
        ))
    }

    /// The position, for those who already know where the token comes from.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&self.store.store);
        bytes.extend_from_slice(&self.store.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.log.to_be_bytes());
        bytes.extend_from_slice(&self.position.get().to_be_bytes());
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Token {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
            let (store, rest) = bytes.split_first_chunk::<8>()?;
            let (epoch, rest) = rest.split_first_chunk::<4>()?;
            let (log, rest) = rest.split_first_chunk::<2>()?;
            let (position, rest) = rest.split_first_chunk::<8>()?;
            rest.is_empty().then(|| Self {
                store: StoreId { store: *store, epoch: u32::from_be_bytes(*epoch) },
                log: u16::from_be_bytes(*log),
                position: Position::new(u64::from_be_bytes(*position)),
            })
        };
        parse().ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                "this is not a token of foldlog: one begins with \"f1.\" and comes whole from an \
                 append",
            )
        })
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(position: u64) -> Token {
        let store = StoreId::new(Uuid::from_u128(7 << 96), 3);
        Token::new(store, 0, Position::new(position))
    }

    #[test]
    fn a_token_survives_text_and_json() {
        for position in [0, 1, u64::MAX] {
            let token = token(position);
            assert_eq!(token.to_string().parse::<Token>().unwrap(), token);
            let json = serde_json::to_string(&token).unwrap();
            assert_eq!(serde_json::from_str::<Token>(&json).unwrap(), token);
        }
    }

    #[test]
    fn a_broken_token_is_refused() {
        let text = token(9).to_string();
        for broken in ["", "f1.", "f2.AAAA", &text[..text.len() - 2], &format!("{text}AA")] {
            assert_eq!(broken.parse::<Token>().unwrap_err().kind(), ErrorKind::Invalid, "{broken}");
        }
    }

    #[test]
    fn a_token_of_another_store_epoch_or_log_is_foreign() {
        let token = token(9);
        let other = StoreId::new(Uuid::from_u128(8 << 96), 3);
        let later = StoreId { epoch: 4, ..token.store };
        for (store, log) in [(other, 0), (later, 0), (token.store, 1)] {
            assert_eq!(token.position_in(store, log).unwrap_err().kind(), ErrorKind::Foreign);
        }
        assert_eq!(token.position_in(token.store, 0).unwrap(), Position::new(9));
    }
}
