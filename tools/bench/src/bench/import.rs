//! Import of a history, beside a COPY of the same rows into a table like the store's.

use std::io::Cursor;
use std::pin::pin;
use std::time::{Instant, SystemTime};

use foldlog::import::HistoricalEvent;
use foldlog::{StreamName, Tenant};
use futures_util::SinkExt as _;
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::Failure;
use crate::account::payload;
use crate::bed::Bed;
use crate::callers::{Measured, Rounds};
use crate::figures::Latencies;
use crate::plain::{Session, copy_store};
use crate::report::{Line, Report, rounded};
use crate::run::{Run, in_turn};
use crate::streams::Accounts;

const EVENTS: i64 = 1_000_000;
const EVENTS_OF_STREAM: i64 = 10;
/// What a binary COPY begins with.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// 2000-01-01 is PostgreSQL's beginning of time.
const EPOCH_2000_US: i64 = 946_684_800_000_000;
/// How much is sent at once.
const PIECE: usize = 1 << 18;

enum Side {
    Import,
    Copy,
}

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, "import").await?;
    let streams = (run.arguments.size_or(EVENTS) / EVENTS_OF_STREAM).max(1);
    // A stream to begin with, so that the type is there and its row can be copied.
    bed.fill(Accounts { first: 0, count: 1, version: 1 }).await?;
    copy_store(bed.endpoint()).await?;
    let (mut imported, mut copied) = (Rounds::default(), Rounds::default());
    let (mut first, mut stored) = (1, 1);
    // Round 0 brings the files of the tables into being and is not counted.
    for round in 0..=run.arguments.rounds() {
        let watch = run.machine.quiet().await?;
        for side in in_turn(round, [Side::Import, Side::Copy]) {
            run.checkpoint().await?;
            let (measured, rounds) = match side {
                Side::Import => (import(&bed, first, streams).await?, &mut imported),
                Side::Copy => (copy(&bed, first, streams).await?, &mut copied),
            };
            if round > 0 {
                rounds.push(measured);
            }
        }
        watch.end()?;
        (first, stored) = (first + streams, stored + streams * EVENTS_OF_STREAM);
    }
    bed.check(stored).await?;
    bed.close(run.server).await?;
    Ok(Report {
        bench: "import",
        limit: "COPY of the same rows of events, in the binary form and one transaction",
        facts: vec![
            ("size", json!(streams * EVENTS_OF_STREAM)),
            ("imported_per_s", json!(rounded(imported.per_s()))),
            ("copied_per_s", json!(rounded(copied.per_s()))),
        ],
        lines: vec![Line::new("times of a run", 1, &imported, &copied)],
    })
}

async fn import(bed: &Bed, first: i64, streams: i64) -> Result<Measured, Failure> {
    let begun = Instant::now();
    let of = |account: i64| {
        (1..=EVENTS_OF_STREAM.unsigned_abs()).map(move |version| {
            let stream = StreamName::new(&Tenant::default(), "account", &account.to_string())?;
            let payload = RawValue::from_string(payload(account, version)?)?;
            let event = HistoricalEvent::new(stream, version, "Deposited", payload);
            Ok::<_, Failure>(event.recorded(SystemTime::now()).id(Uuid::now_v7()))
        })
    };
    let events = futures_util::stream::iter((first..first + streams).flat_map(of));
    let imported = bed.app().store().import(format!("from {first}")).run(events).await?;
    measured(begun, imported.imported, streams)
}

async fn copy(bed: &Bed, first: i64, streams: i64) -> Result<Measured, Failure> {
    let session = Session::open(bed.endpoint()).await?;
    let begun = Instant::now();
    let sink = session.client.copy_in(include_str!("../../sql/plain_copy.sql")).await?;
    let mut sink = pin!(sink);
    let mut piece = HEADER.to_vec();
    for account in first..first + streams {
        for version in 1..=EVENTS_OF_STREAM {
            let position = account * EVENTS_OF_STREAM + version;
            row(&mut piece, position, account, version)?;
        }
        if piece.len() >= PIECE {
            sink.send(Cursor::new(std::mem::take(&mut piece))).await?;
        }
    }
    piece.extend((-1_i16).to_be_bytes());
    sink.send(Cursor::new(piece)).await?;
    let copied = sink.finish().await?;
    let measured = measured(begun, copied, streams);
    session.close().await;
    measured
}

fn row(piece: &mut Vec<u8>, position: i64, account: i64, version: i64) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = i64::try_from(now.as_micros())? - EPOCH_2000_US;
    let payload = payload(account, version.unsigned_abs())?;
    piece.extend(9_i16.to_be_bytes());
    let mut field = |value: &[u8]| -> Result<(), Failure> {
        piece.extend(i32::try_from(value.len())?.to_be_bytes());
        piece.extend_from_slice(value);
        Ok(())
    };
    field(&position.to_be_bytes())?;
    field(&account.to_be_bytes())?;
    field(&1_i32.to_be_bytes())?;
    field(&1_i16.to_be_bytes())?;
    field(&version.to_be_bytes())?;
    field(&now.to_be_bytes())?;
    field(Uuid::now_v7().as_bytes())?;
    field(payload.as_bytes())?;
    piece.extend((-1_i32).to_be_bytes());
    Ok(())
}

fn measured(begun: Instant, events: u64, streams: i64) -> Result<Measured, Failure> {
    if i64::try_from(events)? != streams * EVENTS_OF_STREAM {
        return Err(format!("{events} events were stored, of {streams} streams").into());
    }
    let mut latencies = Latencies::default();
    latencies.record(begun.elapsed());
    Ok(Measured { per_s: events as f64 / begun.elapsed().as_secs_f64(), events, latencies })
}
