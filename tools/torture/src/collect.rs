//! The truth: what is in the database when everything has healed.

mod marks;

use std::collections::HashMap;

use foldlog_core::{Error, Filter, Position, Source as _};
use foldlog_eventstore::EventStore;
use foldlog_pg::database;
use sqlx::{FromRow, PgConnection, Row as _};

use crate::book::Book;
use crate::domain::{told, unsigned};
use crate::history::{CheckpointChange, Effect, Stored, Truth};
use crate::look::shoot;

const PAGE_EVENTS: u32 = 5_000;

/// Reads everything there is, past every proxy, when nothing changes any more.
///
/// # Errors
///
/// Those of the database.
pub async fn collect(store: &EventStore, book: &Book) -> Result<Truth, Error> {
    let mut conn = store.db().session("torture collect").await?;
    let mut truth = Truth { events: events(store, book, &mut conn).await?, ..Truth::default() };
    for view in ["balance", "bucket"] {
        truth.rows.insert(view.to_owned(), shoot(store, view).await?.rows);
    }
    truth.effects = effects(book, &mut conn).await?;
    truth.audit = audit(&mut conn).await?;
    truth.marks = marks::marks(book, &mut conn).await?;
    truth.standings = marks::standings(book, &mut conn).await?;
    truth.snapshots = marks::snapshots(&mut conn).await?;
    truth.residue = residue(&mut conn).await?;
    Ok(truth)
}

/// The stored rows without any of the store's reading code deciding which there are; their payloads
/// through it, for that is what fidelity is about.
async fn events(
    store: &EventStore,
    book: &Book,
    conn: &mut PgConnection,
) -> Result<Vec<Stored>, Error> {
    let failed = |e| database("read all events", e);
    let rows = sqlx::query(include_str!("../sql/event_read.sql")).fetch_all(conn).await;
    let mut payloads = HashMap::new();
    let (mut reader, mut place) = (store.reader().await?, Position::START);
    loop {
        let page = reader.page(&Filter::all(), place, PAGE_EVENTS).await?;
        place = page.through;
        payloads.extend(page.events.iter().map(|raw| (raw.position().get(), told(raw))));
        if !page.more {
            break;
        }
    }
    let mut events = Vec::new();
    for row in rows.map_err(failed)? {
        let position = unsigned(row.try_get(0).map_err(failed)?);
        let stream: String = row.try_get(1).map_err(failed)?;
        let slice: i16 = row.try_get(3).map_err(failed)?;
        let mark: i64 = row.try_get(4).map_err(failed)?;
        let cents: i64 = row.try_get(5).map_err(failed)?;
        let told = payloads.get(&position).copied().flatten();
        events.push(Stored {
            position,
            stream: book.stream(&stream),
            version: unsigned(row.try_get(2).map_err(failed)?),
            slice: u16::try_from(slice).unwrap_or(0),
            mark: unsigned(mark),
            cents,
            intact: told.is_some_and(|told| {
                told.intact && told.mark == unsigned(mark) && told.cents == cents
            }),
        });
    }
    Ok(events)
}

async fn effects(book: &Book, conn: &mut PgConnection) -> Result<Vec<Effect>, Error> {
    let failed = |e| database("read what the batch handler wrote", e);
    let rows = sqlx::query(include_str!("../sql/effect_read.sql")).fetch_all(conn).await;
    let rows = rows.map_err(failed)?;
    let effects = rows.iter().map(|row| {
        let (mark, stream, version, position) =
            <(i64, String, i64, i64)>::from_row(row).map_err(failed)?;
        Ok(Effect {
            mark: unsigned(mark),
            stream: book.stream(&stream),
            version: unsigned(version),
            position: unsigned(position),
        })
    });
    effects.collect()
}

async fn audit(conn: &mut PgConnection) -> Result<Vec<CheckpointChange>, Error> {
    let failed = |e| database("read the audit of the checkpoints", e);
    let rows = sqlx::query(include_str!("../sql/audit_read.sql")).fetch_all(conn).await;
    let rows = rows.map_err(failed)?;
    let changes = rows.iter().map(|row| {
        let (
            projection,
            modulus,
            remainder,
            role,
            old_epoch,
            new_epoch,
            old_position,
            new_position,
        ) = <(String, i32, i32, String, i64, i64, i64, i64)>::from_row(row).map_err(failed)?;
        Ok(CheckpointChange {
            projection,
            modulus: u16::try_from(modulus).unwrap_or(0),
            remainder: u16::try_from(remainder).unwrap_or(0),
            role,
            old_epoch: unsigned(old_epoch),
            new_epoch: unsigned(new_epoch),
            old_position: unsigned(old_position),
            new_position: unsigned(new_position),
        })
    });
    changes.collect()
}

/// Locks and transactions that nobody is left to end.
async fn residue(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(include_str!("../sql/residue_read.sql"))
        .fetch_all(conn)
        .await
        .map_err(|e| database("read what was left behind", e))
}
