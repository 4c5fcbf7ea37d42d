//! Faults of the way between clients and server.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::{Strike, between, seconds};
use crate::field::{Field, Missed};
use crate::proxy::{After, Counts};

/// How long it is waited for clients to send what is to be cut.
const CUTS_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn cut_commits(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let n = rng.usize(1..=8);
    cut(field, strike, "commits", |counts| counts.commits_cut, || field.proxy.cut_commits(n)).await
}

pub(super) async fn cut_answers(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let n = rng.usize(1..=8);
    if rng.bool() {
        let order = || field.proxy.cut_appends(n);
        cut(field, strike, "appends", |counts| counts.appends_cut, order).await
    } else {
        let order = || field.proxy.cut_answers(n);
        cut(field, strike, "answers", |counts| counts.answers_cut, order).await
    }
}

async fn cut(
    field: &Field,
    strike: &mut Strike<'_>,
    what: &str,
    count: impl Fn(Counts) -> usize,
    order: impl FnOnce(),
) -> Result<(), Missed> {
    let before = count(field.proxy.counts());
    order();
    let until = Instant::now() + CUTS_WAIT;
    loop {
        let made = count(field.proxy.counts()) - before;
        if made > 0 {
            strike.harm(format!("{made} {what}"));
        }
        let over = field.proxy.cuts_left() == 0 || Instant::now() > until;
        if over {
            field.proxy.spare();
            return if made > 0 { Ok(()) } else { Err(Missed(format!("no {what} came by"))) };
        }
        sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn blackhole(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let time = between(rng, 100, 3_000);
    let after = if rng.bool() { After::Drop } else { After::GoOn };
    strike.harm(format!("{}, then {after:?}", seconds(time)));
    field.proxy.blackhole(time, after);
    // It ends by itself.
    sleep(time).await;
    Ok(())
}

pub(super) async fn split(
    field: &Field,
    rng: &mut Rng,
    strike: &mut Strike<'_>,
) -> Result<(), Missed> {
    let time = between(rng, 500, 3_000);
    let before = field.proxy.counts().pieces;
    strike.harm(seconds(time));
    field.proxy.split(true);
    sleep(time).await;
    field.proxy.split(false);
    let pieces = field.proxy.counts().pieces - before;
    strike.harm(format!("{}, {pieces} pieces", seconds(time)));
    Ok(())
}
