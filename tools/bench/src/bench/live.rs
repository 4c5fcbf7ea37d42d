//! Events as they come, from the call to the row of the view: in one process, and across two.

mod idle;
mod pace;
mod process;
mod sight;

use std::time::Duration;

use serde_json::{Value, json};

use crate::Failure;
use crate::account::{Account, Balance};
use crate::bed::Bed;
use crate::callers::{Measured, Rounds};
use crate::figures::median;
use crate::plain;
use crate::report::{Figures, Line, Report, rounded};
use crate::run::{Run, in_turn};
use crate::streams::Accounts;
use pace::{Bare, Pace};
use process::Process;
use sight::Seen;

/// Events a second.
pub const RATE: u64 = 200;
const ACCOUNTS: i64 = 1_000;
/// How long views may take to come to rest before and between measurements.
const REST: Duration = Duration::from_secs(60);

enum Side {
    Bare,
    Inside,
    Across,
}

/// One way to have the views kept: by this process or by another.
struct Way {
    bed: Bed,
    pace: Pace,
    /// From the call to the row, and from the answer of the append to the row.
    whole: Rounds,
    after_answer: Rounds,
    first_ms: Vec<f64>,
    idle_queries: f64,
}

pub async fn measure(run: &Run<'_>) -> Result<Report, Failure> {
    let accounts = Accounts { first: 0, count: ACCOUNTS, version: 1 };
    let mut inside = Way::open(run, "live_inside", accounts, true).await?;
    let mut across = Way::open(run, "live_across", accounts, false).await?;
    let process = Process::start(&run.server.url("live_across")).await?;
    plain::copy_store(inside.bed.endpoint()).await?;
    let mut bare = Bare::open(inside.bed.endpoint(), accounts).await?;
    let mut limit = Rounds::default();
    let time = run.arguments.time();
    let idle = if run.arguments.smoke { 300 } else { 10_000 };
    let idle = Duration::from_millis(idle);
    for round in 0..=run.arguments.rounds() {
        let time = if round == 0 { run.warming() } else { time };
        let watch = run.machine.quiet().await?;
        for side in in_turn(round, [Side::Bare, Side::Inside, Side::Across]) {
            run.checkpoint().await?;
            match side {
                Side::Bare => {
                    let measured = bare.run(time).await?;
                    if round > 0 {
                        limit.push(measured);
                    }
                }
                Side::Inside => inside.follow(time, round > 0).await?,
                Side::Across => across.follow(time, round > 0).await?,
            }
        }
        if round > 0 {
            idle::both(&mut inside, &mut across, idle).await?;
        }
        watch.end()?;
    }
    idle::count(run, &mut inside, &mut across, idle).await?;
    let connections = inside.bed.connections();
    let mut facts =
        vec![("connections", json!(connections)), ("idle_s", json!(idle.as_secs_f64()))];
    let lines = vec![inside.line("in process", &limit), across.line("across processes", &limit)];
    facts.push(("in_process", inside.facts()));
    facts.push(("across", across.facts()));
    process.end().await?;
    inside.close(run).await?;
    across.close(run).await?;
    Ok(Report {
        bench: "live",
        limit: "the bare commit of the same row at the same rate: p50 and p99 are what lies between \
                the call and the row of the view, less the bare commit. The rate is given, so there \
                is no ratio; the watcher itself asks up to 3,000 times a second on the same cores",
        lines,
        facts,
    })
}

impl Way {
    async fn open(
        run: &Run<'_>,
        name: &str,
        accounts: Accounts,
        works: bool,
    ) -> Result<Self, Failure> {
        let bed = Bed::open_with(run.server, name, |builder| {
            let builder = builder.aggregate::<Account>().view::<Balance>();
            if works { builder } else { builder.without_workers() }
        });
        let bed = bed.await?;
        bed.fill(accounts).await?;
        Ok(Self {
            pace: Pace::new(bed.app(), accounts),
            bed,
            whole: Rounds::default(),
            after_answer: Rounds::default(),
            first_ms: Vec::new(),
            idle_queries: 0.0,
        })
    }

    /// Appends at the rate, and sees each event come to the view.
    async fn follow(&mut self, time: Duration, counted: bool) -> Result<(), Failure> {
        self.rest().await?;
        let seen = self.pace.run(self.bed.endpoint(), time).await?;
        if counted {
            self.whole.push(measured(&seen, time, |seen| seen.whole));
            self.after_answer.push(measured(&seen, time, |seen| seen.after_answer));
        }
        Ok(())
    }

    /// Waits until the view holds what is stored.
    async fn rest(&self) -> Result<(), Failure> {
        self.bed.wait_for_view(REST).await
    }

    fn line(&self, label: &str, limit: &Rounds) -> Line {
        let limit = Figures::from(limit);
        let ours = Figures {
            per_s: self.whole.per_s(),
            p50_ms: (self.whole.p50_ms() - limit.p50_ms).max(0.0),
            p99_ms: (self.whole.p99_ms() - limit.p99_ms).max(0.0),
        };
        Line::new(label, 1, ours, limit).at_given_rate()
    }

    fn facts(&self) -> Value {
        json!({
            "call_to_row_p50_ms": rounded(self.whole.p50_ms()),
            "call_to_row_p99_ms": rounded(self.whole.p99_ms()),
            "answer_to_row_p50_ms": rounded(self.after_answer.p50_ms()),
            "answer_to_row_p99_ms": rounded(self.after_answer.p99_ms()),
            "first_after_idle_ms": rounded(median(self.first_ms.iter().copied())),
            "idle_queries_per_s": rounded(self.idle_queries),
        })
    }

    /// Checks that every event is where it belongs, and ends.
    async fn close(self, run: &Run<'_>) -> Result<(), Failure> {
        let appended = self.pace.appended();
        self.bed.check(ACCOUNTS + i64::try_from(appended)?).await?;
        self.bed.check_view(ACCOUNTS).await?;
        self.bed.close(run.server).await
    }
}

fn measured(seen: &[Seen], time: Duration, which: impl Fn(&Seen) -> Duration) -> Measured {
    let mut measured = Measured {
        per_s: seen.len() as f64 / time.as_secs_f64(),
        events: seen.len() as u64,
        ..Measured::default()
    };
    for one in seen {
        measured.latencies.record(which(one));
    }
    measured
}
