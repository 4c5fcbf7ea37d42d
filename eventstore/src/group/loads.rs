//! Loads of concurrent commands, in one call.
//!
//! As with appends, what gathers while a call is under way is read by the next one. A load that is
//! answered here is short; of a longer stream the reader asks again, on a connection of the pool.

use foldlog_core::{Error, ErrorKind, Position, RawEvent, StreamName};
use tokio::sync::{mpsc, oneshot};

use super::Losses;
use super::link::{Link, LoadedRow};
use crate::call::number;
use crate::read::StreamPage;
use crate::snapshot::{Snapshot, StreamLoad};
use crate::store::EventStore;

/// The most loads of one call; with the next two, what bounds the memory of its answer.
const LOADS_MAX: usize = 64;
/// The most events of one stream.
pub(crate) const EVENTS_MAX: u32 = 100;
/// About the most bytes of one stream.
const BYTES_MAX: i64 = 256 << 10;

/// A load on its way.
#[derive(Debug)]
pub(super) struct Loading {
    pub(super) stream: StreamName,
    pub(super) after_version: u64,
    /// Of the snapshots that serve; none are looked for without it.
    pub(super) schema_hash: Option<[u8; 32]>,
    pub(super) answer: oneshot::Sender<Result<Short, Error>>,
}

/// What a load came to.
#[derive(Debug)]
pub(crate) enum Short {
    /// The stream to its end.
    Whole(StreamLoad),
    /// It has more than is read here, or holds an event of a type that has to be asked for first.
    More,
}

/// Reads until the queue is closed and empty.
pub(super) async fn read(store: EventStore, mut queue: mpsc::Receiver<Loading>, losses: Losses) {
    let mut link: Option<Link> = None;
    let mut loads = Vec::with_capacity(LOADS_MAX);
    loop {
        let received = match &mut link {
            None => queue.recv_many(&mut loads, LOADS_MAX).await,
            Some(open) => tokio::select! {
                biased;
                received = queue.recv_many(&mut loads, LOADS_MAX) => received,
                () = open.closed() => {
                    link = None;
                    continue;
                }
            },
        };
        if received == 0 {
            return;
        }
        loads.retain(|load| !load.answer.is_closed());
        let several = loads.len() > 1;
        let result = call(&store, &mut link, &loads, &losses).await;
        match result {
            Ok(rows) => settle(&store, &mut loads, &rows),
            Err(error) => {
                if link.as_ref().is_some_and(|open| !open.is_open() || error.is_retryable()) {
                    link = None;
                }
                for load in loads.drain(..) {
                    let error = Error::new(error.kind(), error.to_string());
                    drop(load.answer.send(Err(error)));
                }
            }
        }
        if several {
            // Those who have just been answered may have their next request ready.
            tokio::task::yield_now().await;
        }
    }
}

async fn call(
    store: &EventStore,
    link: &mut Option<Link>,
    loads: &[Loading],
    losses: &Losses,
) -> Result<Vec<LoadedRow>, Error> {
    let link = match link {
        Some(open) => open,
        None => link.insert(Link::open(store.db(), "foldlog load").await?.counted(losses)),
    };
    let tenants: Vec<_> = loads.iter().map(|load| load.stream.tenant().as_str()).collect();
    let streams: Vec<_> = loads.iter().map(|load| load.stream.as_str()).collect();
    let versions: Vec<_> =
        loads.iter().map(|load| crate::read::signed(load.after_version)).collect();
    let most = i32::try_from(EVENTS_MAX).unwrap_or(i32::MAX);
    let hashes: Vec<_> =
        loads.iter().map(|load| load.schema_hash.as_ref().map(<[u8; 32]>::as_slice)).collect();
    link.load(&tenants, &streams, &versions, &hashes, most, BYTES_MAX).await
}

fn settle(store: &EventStore, loads: &mut Vec<Loading>, rows: &[LoadedRow]) {
    let first = rows.iter().position(|row| !row.is_snapshot()).unwrap_or(rows.len());
    let (snapshots, rows) = rows.split_at(first);
    let mut groups = rows.chunk_by(|a, b| a.stream() == b.stream());
    for load in loads.drain(..) {
        let rows = groups.next().unwrap_or_default();
        let ours = |row: &&LoadedRow| Some(row.stream()) == rows.first().map(LoadedRow::stream);
        let snapshot = snapshots.iter().find(ours);
        drop(load.answer.send(short(store, &load.stream, snapshot, rows)));
    }
}

fn short(
    store: &EventStore,
    stream: &StreamName,
    snapshot: Option<&LoadedRow>,
    rows: &[LoadedRow],
) -> Result<Short, Error> {
    let Some(page) = page(store, stream, rows)? else { return Ok(Short::More) };
    let snapshot = snapshot.map(|row| Snapshot::checked(&row.snapshot()?)).transpose()?;
    Ok(Short::Whole(StreamLoad { snapshot, page }))
}

/// The page of one stream's rows; `None` if there is more to be read, or to be known, than was.
fn page(
    store: &EventStore,
    stream: &StreamName,
    rows: &[LoadedRow],
) -> Result<Option<StreamPage>, Error> {
    let Some(first) = rows.first() else {
        return Err(Error::new(ErrorKind::Internal, "a load was not answered"));
    };
    if first.is_marked()? {
        // Rare: whoever asks reads it by itself, and is told what the marks say.
        return Ok(None);
    }
    let (version, position) = first.end()?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(parts) = row.event()? else { break };
        let Some(kind) = store.types().name(parts.type_id) else { return Ok(None) };
        let position = Position::new(number(parts.position));
        events.push(RawEvent {
            stream: stream.clone(),
            version: number(parts.version),
            token: store.token(position),
            id: parts.event_id,
            kind: kind.name.clone(),
            schema_version: kind.schema_version,
            payload: crate::read::json(position, parts.payload)?,
            metadata: parts.metadata.map(|text| crate::read::json(position, text)).transpose()?,
            recorded: parts.recorded,
        });
    }
    let version = number(version);
    if events.last().is_some_and(|last| last.version < version) {
        return Ok(None);
    }
    let position = Position::new(number(position));
    Ok(Some(StreamPage { events, version, position, more: false, cut: None }))
}
