//! A run: a server, one bench after the other, and what is printed of each.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Failure;
use crate::arguments::Arguments;
use crate::machine::{self, Machine};
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
    let mut results = Vec::new();
    for bench in &arguments.benches {
        // Boxed: each bench's future holds all that it measures with.
        let report = Box::pin(bench.measure(&run)).await;
        let report = report.map_err(|error| format!("{}: {error}", bench.name()))?;
        results.push(print(&report, &conditions, arguments));
    }
    if let [_one] = results.as_slice() {
        return Ok(());
    }
    let mut all = json!({
        "bench": "all", "server": conditions.server, "cores": conditions.cores,
        "rss_mb": crate::report::rounded(machine::rss_mb()), "results": results,
    });
    if let (true, Some(all)) = (arguments.smoke, all.as_object_mut()) {
        all.insert("smoke".into(), json!(true));
    }
    println!("{all}");
    Ok(())
}

/// The table and the line of JSON. Of several benches with --json only the last line is printed.
fn print(report: &Report, conditions: &Conditions, arguments: &Arguments) -> Value {
    let json = report.json(conditions, machine::rss_mb());
    if !arguments.json {
        print!("{}", report.text(conditions.smoke));
    }
    if !arguments.json || arguments.benches.len() == 1 {
        println!("{json}");
    }
    json
}
