//! What a run came to: lines for people, and a last one for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::arguments::Run;
use crate::bug::Bug;
use crate::fault::Kind;
use crate::plan::Plan;
use crate::schedule::Verdict;

/// A run of this length must have seen every kind of call.
const LONG: Duration = Duration::from_secs(600);

type Counts = BTreeMap<&'static str, usize>;

pub struct Report {
    run: Run,
    schedules: usize,
    events: usize,
    faults: Counts,
    missed: Counts,
    calls: Counts,
    guarantees: Counts,
}

impl Report {
    #[must_use]
    pub fn new(run: &Run) -> Self {
        Self {
            run: run.clone(),
            schedules: 0,
            events: 0,
            // All of them, so that one that never struck shows.
            faults: Kind::ALL.iter().map(|kind| (kind.name(), 0)).collect(),
            missed: Counts::new(),
            calls: Counts::new(),
            guarantees: Counts::new(),
        }
    }

    /// Takes in a schedule, and tells it at once: a run may be broken off.
    pub fn take(&mut self, number: u64, plan: &Plan, verdict: &Verdict, took: Duration) {
        let faults: usize = verdict.faults.values().sum();
        println!(
            "schedule {number}: {} writers, {} readers, {} workers, {} events, {faults} faults, \
             {} findings in {:.0} s",
            plan.writers,
            plan.readers + plan.subscriptions,
            plan.workers,
            verdict.events,
            verdict.findings.len(),
            took.as_secs_f64(),
        );
        self.schedules += 1;
        self.events += verdict.events;
        add(&mut self.faults, &verdict.faults);
        add(&mut self.missed, &verdict.missed);
        add(&mut self.calls, &verdict.calls);
        for finding in &verdict.findings {
            *self.guarantees.entry(finding.guarantee).or_default() += 1;
            println!("\nfinding {}: {}", finding.guarantee, finding.text);
            finding.excerpt.iter().for_each(|line| println!("    {line}"));
        }
        if !verdict.findings.is_empty() {
            let bug = self.run.bug.map(|bug| format!(" --bug {}", bug.name())).unwrap_or_default();
            println!(
                "again: cargo xtask torture --seed {} --schedule {number} --seconds {}{bug}\n",
                self.run.seed,
                self.run.time.as_secs(),
            );
        }
    }

    /// Whether a guarantee was found broken; against a planted bug, the one that it breaks.
    #[must_use]
    pub fn has_findings(&self) -> bool {
        match self.run.bug {
            Some(bug) => self.guarantees.contains_key(bug.breaks()),
            None => !self.guarantees.is_empty(),
        }
    }

    /// Of what a long run saw nothing, so that nothing was decided about it.
    #[must_use]
    pub fn unseen(&self, took: Duration) -> Vec<&'static str> {
        if took < LONG || self.run.bug.is_some() {
            return Vec::new();
        }
        self.calls.iter().filter(|(_, count)| **count == 0).map(|(kind, _)| *kind).collect()
    }

    /// The last line.
    pub fn print(&self, took: Duration, broken: Option<&str>) {
        let kills = Kind::ALL.iter().filter(|kind| kind.kills());
        let kills: usize = kills.filter_map(|kind| self.faults.get(kind.name())).sum();
        let line = json!({
            "seed": self.run.seed,
            "schedules": self.schedules,
            "events": self.events,
            "kills": kills,
            "faults": self.faults,
            "missed": self.missed,
            "calls": self.calls,
            "findings": self.guarantees.values().sum::<usize>(),
            "guarantees": self.guarantees,
            "bug": self.run.bug.map(Bug::name),
            "broken": broken,
            "seconds": took.as_secs(),
        });
        println!("\n{line}");
    }
}

fn add(sum: &mut Counts, more: &Counts) {
    for (kind, count) in more {
        *sum.entry(kind).or_default() += count;
    }
}
