//! The session of an import: the lock on its name, and one transaction for each batch.

use std::future::poll_fn;
use std::io::Cursor;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use foldlog_core::{Error, ErrorKind, Position, StreamName, Tenant};
use foldlog_pg::{Connection, Session, driver};
use futures_util::SinkExt as _;
use tokio_postgres::{Client, Row, Statement, Transaction};
use uuid::Uuid;

use crate::append::LOCK_WAIT_MS;
use crate::call::number;
use crate::driven::{driven, moves};
use crate::import::ImportError;
use crate::import::batch::{Batch, Kind};
use crate::import::history::HistoricalEvent;
use crate::mark::closed;
use crate::read::{signed, since_epoch};
use crate::store::EventStore;

/// A server that has not stored a batch by then is taken for gone.
const BATCH_WAIT: Duration = Duration::from_secs(300);
/// What it is given to end a session. It ends without, too.
const FAREWELL_WAIT: Duration = Duration::from_secs(5);

/// How far an import had come when it was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) done: u64,
    pub(super) digest: Vec<u8>,
    pub(crate) begun: SystemTime,
    pub(super) width: usize,
    pub(super) last_position: Option<Position>,
    pub(super) last: Option<Stored>,
}

/// The last event of an import, as the store holds it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) stream: StreamName,
    pub(super) version: u64,
    id: Uuid,
}

impl Stored {
    /// Whether it is this event by its id, too.
    pub(super) fn is(&self, event: &HistoricalEvent, id: Uuid) -> bool {
        self.names(event) && self.id == id
    }

    pub(super) fn names(&self, event: &HistoricalEvent) -> bool {
        self.stream == event.stream && self.version == event.version
    }
}

pub(super) struct ImportSession {
    client: Client,
    // None when it has come to an end.
    connection: Option<Connection>,
    batch: Statement,
    copy: Statement,
    end: Statement,
    /// The ids of the run's kinds, by number: as many as were asked for so far.
    types: Vec<i32>,
}

impl ImportSession {
    /// Opens a session, and the import in it.
    pub(super) async fn open(
        store: &EventStore,
        name: &str,
    ) -> Result<(Self, Opened), ImportError> {
        let Session { client, connection } = store.db().direct().session("foldlog import").await?;
        let mut connection = Some(connection);
        let prepare = async {
            client.batch_execute(include_str!("../../sql/append_session.sql")).await?;
            let opened =
                client.query_one(include_str!("../../sql/import_open.sql"), &[&name]).await?;
            let batch = client.prepare(include_str!("../../sql/import_batch.sql")).await?;
            let copy = client.prepare(include_str!("../../sql/import_copy.sql")).await?;
            let end = client.prepare(include_str!("../../sql/import_batch_end.sql")).await?;
            Ok((opened, batch, copy, end))
        };
        let prepared = Box::pin(driven(&mut connection, prepare)).await;
        let what = || format!("open import {name:?}");
        let (row, batch, copy, end) = prepared.map_err(|e| driver(what(), e))?;
        let opened = opened(&row).map_err(|e| driver(what(), e))?;
        let opened = opened.ok_or_else(|| ImportError::Running { name: name.to_owned() })??;
        Ok((Self { client, connection, batch, copy, end, types: Vec::new() }, opened))
    }

    /// Stores a batch, whole or not at all. Answers the position of its last event.
    pub(super) async fn put(
        &mut self,
        name: &str,
        batch: &mut Batch,
        kinds: &[Kind],
    ) -> Result<Position, ImportError> {
        let stored = tokio::time::timeout(BATCH_WAIT, async {
            self.register(kinds).await?;
            self.store(name, batch, kinds).await
        });
        Box::pin(stored).await.unwrap_or_else(|_| {
            let message = "import a batch: the server did not answer in time";
            Err(Error::new(ErrorKind::Unavailable, message).into())
        })
    }

    /// Makes the types known that were met since: outside of a transaction, as they stay.
    async fn register(&mut self, kinds: &[Kind]) -> Result<(), Error> {
        while let Some(kind) = kinds.get(self.types.len()) {
            let what = || format!("register event type {} of {}", kind.name, kind.category);
            let (names, versions) = (vec![&*kind.name], vec![signed_version(kind.schema_version)]);
            let sql = include_str!("../../sql/event_type_register.sql");
            let wait: Option<i32> = Some(LOCK_WAIT_MS);
            let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                [&wait, &kind.category, &names, &versions];
            let row = driven(&mut self.connection, self.client.query_one(sql, &arguments)).await;
            let id = row.and_then(|row| row.try_get("id")).map_err(|e| driver(what(), e))?;
            self.types.push(id);
        }
        Ok(())
    }

    async fn store(
        &mut self,
        name: &str,
        batch: &mut Batch,
        kinds: &[Kind],
    ) -> Result<Position, ImportError> {
        let Self { client, connection, types, .. } = self;
        let (begin, copy, end) = (&self.batch, &self.copy, &self.end);
        let work = async {
            let tx = client.transaction().await.map_err(failed)?;
            let asked = Asked::of(batch, kinds, types);
            let row = tx
                .query_one(
                    begin,
                    &[
                        &name,
                        &signed(batch.before),
                        &asked.tenants,
                        &asked.names,
                        &asked.versions,
                        &asked.types,
                        &asked.categories,
                        &asked.tag_tenants,
                        &asked.tags,
                        &i32::try_from(batch.len()).unwrap_or(i32::MAX),
                    ],
                )
                .await
                .map_err(failed)?;
            let Granted { rows, positions } = granted(&row, name, batch)?;
            if !batch.fill(&positions, &rows, types) {
                return Err(odd("the server gave other rows than it was asked for").into());
            }
            send(&tx, copy, batch.pieces(), batch.len() as u64).await?;
            if let Some(tags) = batch.tag_pieces(&positions, types) {
                let copy = tx.prepare(include_str!("../../sql/import_copy_tag.sql")).await;
                send(&tx, &copy.map_err(failed)?, [tags], batch.tag_rows()).await?;
            }
            let last = positions.last().copied().unwrap_or_default();
            let versions: Vec<_> = batch.streams.iter().map(|s| signed(s.last)).collect();
            let (lasts, digest) = (batch.last_positions(&positions), batch.digest.as_slice());
            tx.execute(
                end,
                &[&name, &rows, &versions, &lasts, &signed(batch.done), &digest, &last],
            )
            .await
            .map_err(failed)?;
            tx.commit().await.map_err(failed)?;
            Ok(Position::new(number(last)))
        };
        driven(connection, work).await
    }

    /// Marks the import as finished, and ends the session.
    pub(super) async fn finish(mut self, name: &str) -> Result<(), Error> {
        let sql = include_str!("../../sql/import_finish.sql");
        let finished = driven(&mut self.connection, self.client.execute(sql, &[&name])).await;
        finished.map_err(|e| driver(format!("finish import {name:?}"), e))?;
        self.close().await;
        Ok(())
    }

    /// Ends the session, with its lock.
    pub(super) async fn close(self) {
        let Self { client, mut connection, .. } = self;
        drop(client);
        // It says goodbye and ends, since nobody can ask it anything any more.
        let ended = poll_fn(|cx| {
            moves(&mut connection, cx);
            if connection.is_none() { Poll::Ready(()) } else { Poll::Pending }
        });
        let _silent = tokio::time::timeout(FAREWELL_WAIT, ended).await;
    }
}

/// What is asked of the server for a batch, column by column.
struct Asked<'b> {
    tenants: Vec<&'b str>,
    names: Vec<&'b str>,
    versions: Vec<i64>,
    types: Vec<i32>,
    categories: Vec<&'b str>,
    tag_tenants: Vec<&'b str>,
    tags: Vec<&'b str>,
}

impl<'b> Asked<'b> {
    fn of(batch: &'b Batch, kinds: &'b [Kind], types: &[i32]) -> Self {
        let met = batch.kinds();
        let streams = &batch.streams;
        Self {
            tenants: streams.iter().map(|s| s.name.tenant().as_str()).collect(),
            names: streams.iter().map(|s| s.name.as_str()).collect(),
            versions: streams.iter().map(|s| signed(s.before)).collect(),
            types: met.iter().filter_map(|kind| types.get(*kind).copied()).collect(),
            categories: met
                .iter()
                .filter_map(|kind| kinds.get(*kind))
                .map(|kind| kind.category.as_str())
                .collect(),
            tag_tenants: batch.tags.iter().map(|(tenant, _)| tenant.as_str()).collect(),
            tags: batch.tags.iter().map(|(_, tag)| tag.as_str()).collect(),
        }
    }
}

/// Copies rows in, all of them.
async fn send(
    tx: &Transaction<'_>,
    copy: &Statement,
    pieces: impl IntoIterator<Item = Vec<u8>>,
    rows: u64,
) -> Result<(), Error> {
    let sink = tx.copy_in(copy).await.map_err(failed)?;
    let mut sink = pin!(sink);
    for piece in pieces {
        sink.send(Cursor::new(piece)).await.map_err(failed)?;
    }
    let copied = sink.finish().await.map_err(failed)?;
    if copied != rows {
        return Err(odd("the server stored another number of rows than it got"));
    }
    Ok(())
}

struct Granted {
    rows: Vec<i64>,
    positions: Vec<i64>,
}

/// What the server gave for a batch, or why it did not.
fn granted(row: &Row, name: &str, batch: &Batch) -> Result<Granted, ImportError> {
    let read = |at| row.try_get::<_, Option<Vec<i64>>>(at).map_err(failed);
    let (rows, versions, positions) = (read(0)?, read(1)?, read(3)?);
    let states: Option<Vec<i16>> = row.try_get(2).map_err(failed)?;
    let (Some(rows), Some(versions)) = (rows, versions) else {
        return Err(ImportError::Differs {
            name: name.to_owned(),
            done: batch.before,
            difference: "the store says otherwise by now".to_owned(),
        });
    };
    if let Some(positions) = positions {
        return Ok(Granted { rows, positions });
    }
    let states = states.unwrap_or_default();
    if let Some((stream, state)) = batch.streams.iter().zip(states).find(|(_, state)| *state != 0) {
        return Err(ImportError::Refused {
            row: stream.row,
            stream: stream.name.clone(),
            version: stream.before + 1,
            why: closed(&stream.name, state, None),
        });
    }
    let differs = batch.streams.iter().zip(&versions).find(|(s, end)| s.before != number(**end));
    match differs {
        Some((stream, end)) => Err(ImportError::OutOfStep {
            row: stream.row,
            stream: stream.name.clone(),
            version: stream.before + 1,
            end: number(*end),
            stored: true,
        }),
        None => Err(odd("the server refused a batch of which all versions fit").into()),
    }
}

/// `None` if another session has it open.
fn opened(row: &Row) -> Result<Option<Result<Opened, Error>>, tokio_postgres::Error> {
    let Some(done) = row.try_get::<_, Option<i64>>(0)? else { return Ok(None) };
    let (digest, begun, width): (_, i64, i64) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let position: Option<i64> = row.try_get(8)?;
    let last: Option<(String, String, i64, Uuid)> = match row.try_get::<_, Option<String>>(4)? {
        None => None,
        Some(tenant) => Some((tenant, row.try_get(5)?, row.try_get(6)?, row.try_get(7)?)),
    };
    let last = last.map(|(tenant, stream, version, id)| {
        let stream = StreamName::parse(&Tenant::new(&tenant)?, &stream)?;
        Ok::<_, Error>(Stored { stream, version: number(version), id })
    });
    Ok(Some(last.transpose().map(|last| Opened {
        done: number(done),
        digest,
        begun: since_epoch(begun),
        width: usize::try_from(width).unwrap_or(usize::MAX),
        last_position: position.map(|position| Position::new(number(position))),
        last,
    })))
}

fn failed(error: tokio_postgres::Error) -> Error {
    driver("import a batch", error)
}

fn odd(message: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("import a batch: {message}"))
}

fn signed_version(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}
