//! What a run came to: lines for people, and a last one for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::arguments::Run;
use crate::check::Finding;
use crate::fault::Kind;
use crate::plan::Plan;
use crate::schedule::Verdict;

#[derive(Default)]
pub struct Report {
    schedules: usize,
    events: usize,
    calls: usize,
    faults: BTreeMap<&'static str, usize>,
    missed: BTreeMap<&'static str, usize>,
    findings: Vec<(u64, Finding)>,
}

impl Report {
    /// Takes in a schedule, and tells it in a line.
    pub fn take(&mut self, number: u64, plan: &Plan, verdict: Verdict, took: Duration) {
        let faults: usize = verdict.faults.values().sum();
        println!(
            "schedule {number}: {} writers, {} readers, {} workers, {} events, {} calls, {faults} \
             faults, {} findings in {:.0} s",
            plan.writers,
            plan.readers + plan.subscriptions,
            plan.workers,
            verdict.events,
            verdict.calls,
            verdict.findings.len(),
            took.as_secs_f64(),
        );
        self.schedules += 1;
        self.events += verdict.events;
        self.calls += verdict.calls;
        for (kind, count) in verdict.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (kind, count) in verdict.missed {
            *self.missed.entry(kind).or_default() += count;
        }
        self.findings.extend(verdict.findings.into_iter().map(|finding| (number, finding)));
    }

    #[must_use]
    pub fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    /// The findings, how to see them again, and the last line.
    pub fn print(&self, run: &Run, took: Duration) {
        for (number, finding) in &self.findings {
            println!("\nfinding {}: {}", finding.guarantee, finding.text);
            for line in &finding.excerpt {
                println!("    {line}");
            }
            let bug = run.bug.map(|bug| format!(" --bug {}", bug.name())).unwrap_or_default();
            println!(
                "  again: cargo xtask torture --seed {} --schedule {number} --seconds {}{bug}",
                run.seed,
                run.time.as_secs(),
            );
        }
        let kills = Kind::ALL.iter().filter(|kind| kind.kills());
        let kills: usize = kills.filter_map(|kind| self.faults.get(kind.name())).sum();
        let mut guarantees: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, finding) in &self.findings {
            *guarantees.entry(finding.guarantee).or_default() += 1;
        }
        let line = json!({
            "seed": run.seed,
            "schedules": self.schedules,
            "events": self.events,
            "calls": self.calls,
            "kills": kills,
            "faults": self.faults,
            "missed": self.missed,
            "findings": self.findings.len(),
            "guarantees": guarantees,
            "bug": run.bug.map(crate::bug::Bug::name),
            "seconds": took.as_secs(),
        });
        println!("\n{line}");
    }
}
