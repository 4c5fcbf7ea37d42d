//! Appends to one stream while somebody holds a snapshot: whatever rows they leave dead stay.

use std::time::Duration;

use serde_json::json;

use crate::Failure;
use crate::bed::Bed;
use crate::bench::hot::{self, HotAppender};
use crate::callers::{Rounds, drive};
use crate::plain::Session;
use crate::report::{Line, Report};
use crate::run::Run;

/// How long the snapshot is held, the rounds at the end included.
const HELD: Duration = Duration::from_secs(600);

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let bed = Bed::open(run.server, "append_held").await?;
    let clients = run.arguments.clients();
    bed.fill(hot::STREAM).await?;
    let callers = HotAppender::several(bed.app(), clients);
    let (warmed, callers) = drive(callers, run.warming()).await?;
    let mut events = hot::STREAM.count + i64::try_from(warmed.events)?;
    let (free, callers, done) = rounds(run, callers).await?;
    events += done;
    let session = Session::open(bed.endpoint()).await?;
    session.client.batch_execute(include_str!("../../sql/snapshot_hold.sql")).await?;
    let measured = run.arguments.time() * u32::try_from(run.arguments.rounds())?;
    let held = if run.arguments.smoke { measured } else { HELD };
    let (before, callers) = drive(callers, held.saturating_sub(measured)).await?;
    events += i64::try_from(before.events)?;
    let (under, callers, done) = rounds(run, callers).await?;
    events += done;
    session.close().await;
    bed.check(events).await?;
    drop(callers);
    let facts = vec![
        ("connections", json!(bed.connections())),
        ("held_s", json!(held.max(measured).as_secs_f64())),
        ("appended_while_held", json!(before.events + u64::try_from(done)?)),
    ];
    bed.close(run.server).await?;
    let label = format!("{clients} callers, the last rounds under the snapshot");
    Ok(Report {
        bench: "append-held",
        limit: "the same callers on the same stream, before the snapshot was taken",
        lines: vec![Line::new(label, clients, &under, &free)],
        facts,
    })
}

/// Some rounds, and how many events they left.
async fn rounds(
    run: &Run<'_>,
    mut callers: Vec<HotAppender>,
) -> Result<(Rounds, Vec<HotAppender>, i64), Failure> {
    let (mut rounds, mut events) = (Rounds::default(), 0);
    for _ in 0..run.arguments.rounds() {
        run.checkpoint().await?;
        let watch = run.machine.quiet().await?;
        let (measured, back) = drive(callers, run.arguments.time()).await?;
        watch.end()?;
        callers = back;
        events += i64::try_from(measured.events)?;
        rounds.push(measured);
    }
    Ok((rounds, callers, events))
}
