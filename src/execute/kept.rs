//! What is kept of a command that has an id: its reply, on the receipt.

use foldlog_core::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

/// The id of a command, and how its reply is kept on the receipt. Two function pointers, so that
/// only a command with an id needs a reply that serde knows.
pub(crate) struct Kept<R> {
    pub(crate) id: Uuid,
    write: fn(&R) -> serde_json::Result<Box<RawValue>>,
    read: fn(&str) -> serde_json::Result<R>,
}

impl<R: Serialize + DeserializeOwned> Kept<R> {
    pub(crate) fn new(id: Uuid) -> Self {
        Self { id, write: serde_json::value::to_raw_value, read: |json| serde_json::from_str(json) }
    }
}

impl<R> Kept<R> {
    /// The reply for the receipt; what could not be read back for a repetition is refused now.
    pub(crate) fn write(&self, reply: &R) -> Result<Box<RawValue>, Error> {
        let written = (self.write)(reply);
        written.and_then(|json| (self.read)(json.get()).map(|_| json)).map_err(|cause| {
            Error::new(
                ErrorKind::Invalid,
                format!(
                    "a reply of type {} can't be kept for a repetition of the command: it can't be \
                     written as JSON that reads back",
                    std::any::type_name::<R>()
                ),
            )
            .with_source(cause)
        })
    }

    pub(crate) fn read(&self, reply: Option<&RawValue>) -> Result<R, Error> {
        (self.read)(reply.map_or("null", RawValue::get)).map_err(|cause| {
            Error::new(
                ErrorKind::Decode,
                format!(
                    "the reply kept for command {} can't be read as {}: the command was accepted, \
                     by a program whose reply had another shape",
                    self.id,
                    std::any::type_name::<R>()
                ),
            )
            .with_source(cause)
        })
    }
}
