//! Verification: streams of a sample, read again from both sides and folded.

use foldlog_core::{Decider, Error, ErrorKind, Event, EventSet, RawEvent, StreamName};
use futures_util::TryStreamExt as _;
use serde::de::DeserializeOwned;

use crate::cqrs_es::plan::Plan;
use crate::cqrs_es::source::{Source, SourceRow};
use crate::events::Events;
use crate::import::HistoricalEvent;
use crate::store::EventStore;

/// What can be asked of the streams of a category.
pub(super) struct Verify {
    pub(super) category: &'static str,
    pub(super) sample: usize,
    pub(super) folder: fn() -> Box<dyn Folder>,
}

/// Folds a stream, event by event.
pub(super) trait Folder: Send {
    /// Takes in an event, and answers whether its type has tags for it; `native` is its payload where
    /// the table has it as serde writes the enum.
    fn take_in(&mut self, raw: &RawEvent, native: Option<&str>) -> Result<bool, Error>;
}

impl Verify {
    pub(super) fn of<A: Decider>(sample: usize) -> Self
    where
        A::Event: DeserializeOwned,
    {
        let category = <A::Event as Event>::CATEGORY;
        Self { category, sample, folder: || Box::new(Fold(A::default())) }
    }
}

struct Fold<A>(A);

impl<A: Decider> Folder for Fold<A>
where
    A::Event: DeserializeOwned,
{
    fn take_in(&mut self, raw: &RawEvent, native: Option<&str>) -> Result<bool, Error> {
        let event = A::Event::decode(raw)?;
        if let Some(native) = native {
            // The same way as cqrs-es reads it, and not through what we took apart.
            let of_table: A::Event = serde_json::from_str(native).map_err(|cause| {
                let place = raw.place();
                Error::new(ErrorKind::Decode, format!("{place} can't be read from the table"))
                    .with_source(cause)
            })?;
            let (ours, theirs) = (event.encode()?, of_table.encode()?);
            if (ours.kind, ours.payload.get()) != (theirs.kind, theirs.payload.get()) {
                return Err(differs(raw, "it means something else than in the table"));
            }
        }
        self.0.evolve(&event);
        Ok(!event.tags()?.is_empty())
    }
}

/// Folds one stream of the table, and compares it with the store's if it is there by now.
pub(super) async fn stream(
    source: &mut Source,
    plan: &Plan,
    of: &(String, String),
    store: Option<&EventStore>,
    folder: &mut dyn Folder,
) -> Result<(), Error> {
    let native = plan.is_native(&of.0);
    let mut rows = source.one(&of.0, &of.1).await?;
    let mut stored: Option<Events> = None;
    while let Some(row) = rows.try_next().await? {
        let row = SourceRow::read_one(&row, of)?;
        let expected = plan.event(&row)?;
        let raw = match store {
            None => expected.rehearsed(),
            Some(store) => {
                let events = stored.get_or_insert_with(|| store.stream_events(&expected.stream, 0));
                let raw = events.next().await.transpose()?;
                let raw = raw.ok_or_else(|| missing(&expected.stream, expected.version))?;
                compare(&expected, &raw)?;
                raw
            }
        };
        let is_tagged = folder.take_in(&raw, native.then_some(row.payload.as_str()))?;
        if is_tagged && !plan.has_tags(&of.0) {
            let place = raw.place();
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{place} has tags, which are imported only if tags_of names its type"),
            ));
        }
    }
    Ok(())
}

fn compare(expected: &HistoricalEvent, raw: &RawEvent) -> Result<(), Error> {
    if raw.version != expected.version {
        return Err(missing(&expected.stream, expected.version));
    }
    if *raw.kind != *expected.kind || raw.schema_version != expected.schema_version {
        return Err(differs(raw, "its type is another one in the table"));
    }
    if raw.payload.get() != expected.payload.get() {
        return Err(differs(raw, "its payload is another one in the table"));
    }
    Ok(())
}

fn missing(stream: &StreamName, version: u64) -> Error {
    let message = format!("the store has no event {version} of stream {stream}, the table has");
    Error::new(ErrorKind::Internal, message)
}

fn differs(raw: &RawEvent, what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("{}: {what}", raw.place()))
}
