//! A run: a server, one bench after the other, and what is printed of each.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Failure;
use crate::arguments::Arguments;
use crate::machine::{self, Machine};
use crate::plain::Session;
use crate::report::{Conditions, Report, build};
use crate::server::Server;

/// What every bench is given.
pub struct Run<'a> {
    pub arguments: &'a Arguments,
    pub server: &'a Server,
    pub machine: &'a Machine,
}

impl Run<'_> {
    /// How long sides run before the first round, to open connections and prepare statements.
    pub fn warming(&self) -> Duration {
        Duration::from_millis(if self.arguments.smoke { 50 } else { 1_000 })
    }

    /// Before each side that writes: neither pays for the pages that the other has left dirty.
    pub async fn checkpoint(&self) -> Result<(), Failure> {
        let session = Session::open(&self.server.endpoint()).await?;
        session.client.batch_execute(include_str!("../sql/checkpoint.sql")).await?;
        session.close().await;
        Ok(())
    }
}

/// The sides in the order of this round: every other round the other way about, so that what comes
/// first or last by habit is nobody's gain.
pub fn in_turn<S, const N: usize>(round: usize, mut sides: [S; N]) -> [S; N] {
    if round.is_multiple_of(2) {
        sides.reverse();
    }
    sides
}

pub async fn run(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.smoke && build() != "release" {
        return Err(
            "figures come from a release build: run with --release, or check with --smoke".into()
        );
    }
    let server = Server::start(arguments.smoke).await?;
    let measured = measure(arguments, &server).await;
    let closed = server.close().await;
    measured.and(closed)
}

async fn measure(arguments: &Arguments, server: &Server) -> Result<(), Failure> {
    let facts = &server.facts;
    let conditions = Conditions {
        server: facts.version.clone(),
        settings: facts.settings.clone(),
        file_system: facts.file_system.clone(),
        cores: machine::cores(),
        rounds: arguments.rounds(),
        seconds: arguments.time().as_secs_f64(),
        smoke: arguments.smoke,
        busy: arguments.busy_anyway,
    };
    if !arguments.json {
        println!("{}", conditions.text());
    }
    let refuses = !arguments.smoke && !arguments.busy_anyway;
    let machine = Machine::new(facts.postmaster, refuses);
    let run = Run { arguments, server, machine: &machine };
    let (mut results, mut rss_mb) = (Vec::new(), 0.0_f64);
    for bench in &arguments.benches {
        machine::forget_peak();
        // Boxed: each bench's future holds all that it measures with.
        let report = Box::pin(bench.measure(&run)).await;
        let report = report.map_err(|error| format!("{}: {error}", bench.name()))?;
        let peak = machine::rss_mb();
        rss_mb = rss_mb.max(peak);
        results.push(print(&report, &conditions, arguments, peak));
    }
    if let [_one] = results.as_slice() {
        return Ok(());
    }
    let mut all = json!({
        "bench": "all", "server": conditions.server, "cores": conditions.cores,
        "rss_mb": crate::report::rounded(rss_mb), "results": results,
    });
    if let (true, Some(all)) = (arguments.smoke, all.as_object_mut()) {
        all.insert("smoke".into(), json!(true));
    }
    println!("{all}");
    Ok(())
}

/// The table and the line of JSON. Of several benches with --json only the last line is printed.
fn print(report: &Report, conditions: &Conditions, arguments: &Arguments, rss_mb: f64) -> Value {
    let json = report.json(conditions, rss_mb);
    if !arguments.json {
        print!("{}", report.text(conditions.smoke));
    }
    if !arguments.json || arguments.benches.len() == 1 {
        println!("{json}");
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_is_first_as_often_as_last() {
        assert_eq!(in_turn(1, ["ours", "limit"]), ["ours", "limit"]);
        assert_eq!(in_turn(2, ["ours", "limit"]), ["limit", "ours"]);
        assert_eq!(in_turn(3, [1, 2, 3]), [1, 2, 3]);
    }
}
