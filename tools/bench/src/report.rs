//! What came of a bench: a table for people, a line of JSON for programs.

use serde_json::{Map, Value, json};

use crate::callers::Rounds;

/// One row of the table: a side of ours beside its limit.
#[derive(Clone, Debug)]
pub struct Line {
    pub label: String,
    pub clients: usize,
    pub ours: Figures,
    pub limit: Figures,
    /// Whether both sides did as many a second as they were told to, so that a ratio says nothing.
    pub is_rate_given: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl From<&Rounds> for Figures {
    fn from(rounds: &Rounds) -> Self {
        Self { per_s: rounds.per_s(), p50_ms: rounds.p50_ms(), p99_ms: rounds.p99_ms() }
    }
}

/// The first line is the figure of the bench; facts are whatever else is worth knowing.
#[derive(Clone, Debug)]
pub struct Report {
    pub bench: &'static str,
    /// What the limit does, in words.
    pub limit: &'static str,
    pub lines: Vec<Line>,
    pub facts: Vec<(&'static str, Value)>,
}

/// What is the same for every bench of a run.
#[derive(Clone, Debug)]
pub struct Conditions {
    pub server: String,
    pub settings: String,
    pub file_system: String,
    pub cores: usize,
    pub rounds: usize,
    pub seconds: f64,
    pub smoke: bool,
    pub busy: bool,
}

impl Conditions {
    /// What a reader has to know before the first figure.
    pub fn text(&self) -> String {
        let smoke = if self.smoke { "\nsmoke: checked, not measured" } else { "" };
        let busy = if self.busy { "\nbusy: others may have been at work meanwhile" } else { "" };
        format!(
            "PostgreSQL {} on {}, {} cores shared with the program, {} build\n{}\n\
             {} rounds of {} s for each side, by turns the first; medians of the rounds{smoke}{busy}",
            self.server,
            self.file_system,
            self.cores,
            build(),
            self.settings,
            self.rounds,
            self.seconds
        )
    }
}

impl Report {
    pub fn text(&self, smoke: bool) -> String {
        let mut text = format!("\n{}; limit: {}\n", self.bench, self.limit);
        let head = ["", "clients", "per s", "limit", "ratio", "p50 ms", "p99 ms"];
        let mut rows = vec![head.map(ToOwned::to_owned)];
        for line in &self.lines {
            let ratio = line.ratio().filter(|_| !smoke);
            let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
            rows.push([
                line.label.clone(),
                line.clients.to_string(),
                format!("{:.0}", line.ours.per_s),
                format!("{:.0}", line.limit.per_s),
                ratio,
                format!("{:.3}", line.ours.p50_ms),
                format!("{:.3}", line.ours.p99_ms),
            ]);
        }
        let first = rows.iter().map(|[label, ..]| label.chars().count()).max().unwrap_or(0);
        for [label, rest @ ..] in &rows {
            text.push_str(&format!("  {label:first$}"));
            for cell in rest {
                text.push_str(&format!(" {cell:>10}"));
            }
            text.push('\n');
        }
        for (name, value) in &self.facts {
            text.push_str(&format!("  {name}: {value}\n"));
        }
        text
    }

    pub fn json(&self, conditions: &Conditions, rss_mb: f64) -> Value {
        let mut object = Map::new();
        object.insert("bench".into(), json!(self.bench));
        if let Some(line) = self.lines.first() {
            object.extend(line.json(conditions.smoke));
        }
        object.insert("rss_mb".into(), json!(rounded(rss_mb)));
        object.insert("server".into(), json!(conditions.server));
        object.insert("settings".into(), json!(conditions.settings));
        object.insert("file_system".into(), json!(conditions.file_system));
        object.insert("cores".into(), json!(conditions.cores));
        object.insert("build".into(), json!(build()));
        object.insert("rounds".into(), json!(conditions.rounds));
        object.insert("seconds".into(), json!(conditions.seconds));
        object.insert("limit".into(), json!(self.limit));
        for (marked, name) in [(conditions.smoke, "smoke"), (conditions.busy, "busy")] {
            if marked {
                object.insert(name.into(), json!(true));
            }
        }
        for (name, value) in &self.facts {
            object.insert((*name).to_owned(), value.clone());
        }
        if self.lines.len() > 1 {
            let lines = self.lines.iter().map(|line| {
                let mut object = line.json(conditions.smoke);
                object.insert("line".into(), json!(line.label));
                Value::Object(object)
            });
            object.insert("lines".into(), lines.collect());
        }
        Value::Object(object)
    }
}

impl Line {
    pub fn new(
        label: impl Into<String>,
        clients: usize,
        ours: impl Into<Figures>,
        limit: impl Into<Figures>,
    ) -> Self {
        Self {
            label: label.into(),
            clients,
            ours: ours.into(),
            limit: limit.into(),
            is_rate_given: false,
        }
    }

    pub fn at_given_rate(mut self) -> Self {
        self.is_rate_given = true;
        self
    }

    fn ratio(&self) -> Option<f64> {
        if self.is_rate_given {
            return None;
        }
        Some(if self.limit.per_s > 0.0 { self.ours.per_s / self.limit.per_s } else { 0.0 })
    }

    fn json(&self, smoke: bool) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("clients".into(), json!(self.clients));
        for (name, value) in [
            ("per_s", self.ours.per_s),
            ("limit_per_s", self.limit.per_s),
            ("p50_ms", self.ours.p50_ms),
            ("p99_ms", self.ours.p99_ms),
            ("limit_p50_ms", self.limit.p50_ms),
            ("limit_p99_ms", self.limit.p99_ms),
        ] {
            object.insert(name.into(), json!(rounded(value)));
        }
        if !smoke {
            object.insert("ratio".into(), json!(self.ratio().map(rounded)));
        }
        object
    }
}

/// Figures are not exact to the last digit, and should not look so.
pub fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

pub fn build() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let figures = |per_s| Figures { per_s, p50_ms: 1.23456, p99_ms: 2.0 };
        Report {
            bench: "append",
            limit: "least",
            lines: vec![
                Line::new("64 callers", 64, figures(10.0), figures(40.0)),
                Line::new("one", 1, figures(1.0), Figures::default()),
            ],
            facts: vec![("connections", json!(10))],
        }
    }

    fn conditions(smoke: bool) -> Conditions {
        Conditions {
            server: "15.1".into(),
            settings: "fsync=on".into(),
            file_system: "ext4".into(),
            cores: 2,
            rounds: 3,
            seconds: 4.0,
            smoke,
            busy: false,
        }
    }

    #[test]
    fn the_json_has_what_programs_ask_for() {
        let json = report().json(&conditions(false), 12.0);
        let names = [
            "bench",
            "clients",
            "per_s",
            "limit_per_s",
            "ratio",
            "p50_ms",
            "p99_ms",
            "rss_mb",
            "server",
            "cores",
        ];
        for name in names {
            assert!(json.get(name).is_some(), "{name}");
        }
        assert_eq!(json["ratio"], 0.25);
        assert_eq!(json["p50_ms"], 1.235);
        assert_eq!(json["connections"], 10);
        assert_eq!(json["lines"][1]["ratio"], 0.0);
        assert!(json.get("smoke").is_none());
    }

    #[test]
    fn a_rate_that_was_given_makes_no_ratio() {
        let mut report = report();
        report.lines = report.lines.into_iter().map(Line::at_given_rate).collect();
        let json = report.json(&conditions(false), 12.0);
        assert!(json["ratio"].is_null() && json["lines"][0]["ratio"].is_null(), "{json}");
        assert_eq!(json.as_object().map(|object| object.contains_key("ratio")), Some(true));
        assert!(!report.text(false).contains("0.250"));
    }

    #[test]
    fn a_smoke_test_gives_no_ratio() {
        let json = report().json(&conditions(true), 12.0);
        assert_eq!(json["smoke"], true);
        assert!(json.get("ratio").is_none() && json["lines"][0].get("ratio").is_none());
        assert!(!report().text(true).contains("0.25"));
        assert!(report().text(false).contains("0.250"));
    }
}
