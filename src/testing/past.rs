//! What has happened so far, in any streams, and how a command is decided on it.

use std::fmt::{Debug, Write as _};
use std::time::SystemTime;

use foldlog_core::given::kit::{SHOWN_MAX, beginning, chain, short_name, time_text};
use foldlog_core::{Expected, Metadata, Models, Query, StreamName};
use foldlog_eventstore::{Request, StreamEvents};
use uuid::Uuid;

use super::happened::{Happened, Place, difference, item_text, texts};
use crate::boundary::{Boundary, BoundaryContext};

/// The events of all streams, in the order in which they happened.
pub(super) struct Past {
    pub(super) events: Vec<Happened>,
    /// Those that the next command must find within its boundary, and those that it must not.
    inside: Vec<usize>,
    outside: Vec<usize>,
    /// The commands that were decided, each with the number of events before it.
    commands: Vec<(usize, &'static str)>,
    pub(super) now: SystemTime,
    pub(super) metadata: Metadata,
    /// Of the next command.
    pub(super) command_id: Option<Uuid>,
}

/// What a command came to.
pub(super) enum Outcome<R, X> {
    Accepted(Vec<Happened>, R),
    Rejected(X),
    /// A stream is not as the decision expects it, by a sentence.
    Conflict(String),
}

/// The same without its events.
pub(super) enum End<R, X> {
    Accepted(R),
    Rejected(X),
    Conflict(String),
}

/// Why events can't be.
pub(super) enum Flaw {
    Fault(String),
    Conflict(String),
}

impl Past {
    pub(super) fn new() -> Self {
        Self {
            events: Vec::new(),
            inside: Vec::new(),
            outside: Vec::new(),
            commands: Vec::new(),
            now: beginning(),
            metadata: Metadata::new(),
            command_id: None,
        }
    }

    /// Takes in what a test is given.
    pub(super) fn give(
        &mut self,
        streams: impl IntoIterator<Item = StreamEvents>,
        inside: bool,
    ) -> Result<(), String> {
        for events in streams {
            let happened = match self.stored(self.events.len(), vec![events], &Metadata::new()) {
                Ok(happened) => happened,
                Err(Flaw::Fault(fault)) => {
                    return Err(format!("what is given is at fault: {fault}"));
                }
                Err(Flaw::Conflict(text)) => return Err(format!("what is given can't be: {text}")),
            };
            let places = self.events.len()..self.events.len() + happened.len();
            if inside { &mut self.inside } else { &mut self.outside }.extend(places);
            self.events.extend(happened);
        }
        Ok(())
    }

    /// Events as the store would give them back, if they were appended after so many.
    pub(super) fn stored(
        &self,
        after: usize,
        streams: Vec<StreamEvents>,
        metadata: &Metadata,
    ) -> Result<Vec<Happened>, Flaw> {
        if streams.is_empty() {
            return Ok(Vec::new());
        }
        let fault = |error: &dyn std::error::Error| Flaw::Fault(chain(error));
        let request = Request::new(streams).map_err(|error| fault(&error))?;
        let request = request.metadata(metadata).map_err(|error| fault(&error))?;
        let mut stored = Vec::new();
        for (stream, expected, events, rewrite) in request.parts() {
            let before = self.version(stream, after);
            if !holds(expected, before) {
                return Err(Flaw::Conflict(format!(
                    "stream {stream} is at version {before}, expected {expected}"
                )));
            }
            for (version, written) in (before + 1..).zip(events) {
                let position = (after + stored.len()) as u64 + 1;
                let recorded = self.now;
                let place = Place { stream, version, position, recorded, metadata };
                stored.push(Happened::new(&place, written, rewrite).map_err(Flaw::Fault)?);
            }
        }
        Ok(stored)
    }

    fn version(&self, stream: &StreamName, after: usize) -> u64 {
        let before = self.events.iter().take(after);
        before.filter(|event| event.raw.stream == *stream).count() as u64
    }

    /// Models over the past, and which of its events they were given.
    pub(super) fn fold<M: Models>(&self, about: &M::About) -> Result<(M, Vec<bool>), String> {
        let (mut models, mut within) = (M::default(), Vec::new());
        let queries = M::queries(about);
        let items: Result<Vec<_>, _> = queries.iter().map(Query::items).collect();
        let items =
            items.map_err(|error| format!("a model's query can't be: {}", chain(&error)))?;
        for event in &self.events {
            let of = |items: &[_]| items.iter().any(|item| event.matches(item));
            let of: Vec<usize> =
                (0..).zip(&items).filter(|(_, items)| of(items)).map(|(n, _)| n).collect();
            if !of.is_empty() {
                models.evolve(&event.raw, &of, about).map_err(|error| {
                    format!("{} can't be read by a model: {}", event.text(), chain(&error))
                })?;
            }
            within.push(!of.is_empty());
        }
        Ok((models, within))
    }

    /// Decides a command twice on the same models; both must come to the same.
    pub(super) fn decide<B: Boundary>(
        &mut self,
        command: &B,
    ) -> Result<Outcome<B::Reply, B::Rejection>, String> {
        self.commands.push((self.events.len(), short_name::<B>()));
        let about = command.about();
        let (models, within) = self.fold::<B::Models>(&about)?;
        self.check_given::<B>(&about, &within)?;
        let context = BoundaryContext::new(self.now)
            .with_command(self.command_id.take(), self.metadata.clone());
        let decide = || -> Result<_, String> {
            match command.decide(&models, &context) {
                Ok(decision) => {
                    let (streams, reply) = decision.into_parts();
                    match self.stored(self.events.len(), streams, context.metadata()) {
                        Ok(events) => Ok(Outcome::Accepted(events, reply)),
                        Err(Flaw::Conflict(text)) => Ok(Outcome::Conflict(text)),
                        Err(Flaw::Fault(fault)) => Err(fault),
                    }
                }
                Err(rejection) => Ok(Outcome::Rejected(rejection)),
            }
        };
        let (first, second) = (decide()?, decide()?);
        match first.difference(&second) {
            None => Ok(first),
            Some(difference) => Err(format!(
                "asked twice on the same models, `decide` came to different ends: {difference}; \
                 it must be pure: take ids from the command, and the time from the context"
            )),
        }
    }

    fn check_given<B: Boundary>(
        &mut self,
        about: &<B::Models as Models>::About,
        within: &[bool],
    ) -> Result<(), String> {
        let is_within = |place: &usize| within.get(*place).copied().unwrap_or_default();
        let (inside, outside) =
            (std::mem::take(&mut self.inside), std::mem::take(&mut self.outside));
        let strange = inside.into_iter().find(|place| !is_within(place)).map(|place| {
            (
                place,
                "is outside of",
                "so it can't matter to it: is a tag missing? What is to show \
                that it does not matter is given by `with_others`",
            )
        });
        let strange = strange.or_else(|| {
            outside.into_iter().find(is_within).map(|place| {
                (place, "is within", "so it is no other one: give it by `given_events`")
            })
        });
        let Some((place, is, so)) = strange else { return Ok(()) };
        let event = self.events.get(place).map(Happened::text).unwrap_or_default();
        let queries = <B::Models as Models>::queries(about);
        let items = queries.iter().filter_map(|query| query.items().ok()).flatten();
        let items: Vec<String> = items.map(item_text).collect();
        Err(format!(
            "event {} {is} the boundary of {}, {so}\n   event: {event}\nboundary: {}",
            place + 1,
            short_name::<B>(),
            if items.is_empty() {
                "no event at all".to_owned()
            } else {
                items.join("\n          ")
            }
        ))
    }

    /// Ends the test: with the fault, and with what was given.
    #[track_caller]
    pub(super) fn fail(&self, fault: &str) -> ! {
        panic!("{fault}\n{}", self.history(self.events.len()))
    }

    /// Ends the test: with what was expected of the last command and what came.
    #[track_caller]
    pub(super) fn fail_expected(&self, before: usize, expected: &str, came: &str) -> ! {
        let command = self.commands.last().map_or("the command", |(_, command)| command);
        panic!(
            "{command} did not come to what was expected\nexpected: {expected}\n    came: {came}\n{}",
            self.history(before)
        )
    }

    fn history(&self, events: usize) -> String {
        let mut text = format!(
            "   given: {events} event{}, {}",
            if events == 1 { "" } else { "s" },
            time_text(self.now)
        );
        let hidden = events.saturating_sub(SHOWN_MAX);
        if hidden > 0 {
            let _ = write!(text, "\n          … {hidden} events before");
        }
        for index in hidden..=events {
            for (_, command) in self.commands.iter().filter(|(before, _)| *before == index) {
                let _ = write!(text, "\n          when {command}");
            }
            if index < events
                && let Some(event) = self.events.get(index)
            {
                let _ = write!(text, "\n          {} {}", index + 1, event.text());
            }
        }
        text
    }
}

impl<R, X: Debug> Outcome<R, X> {
    /// The end, and the events beside it.
    pub(super) fn parted(self) -> (End<R, X>, Vec<Happened>) {
        match self {
            Self::Accepted(events, reply) => (End::Accepted(reply), events),
            Self::Rejected(rejection) => (End::Rejected(rejection), Vec::new()),
            Self::Conflict(text) => (End::Conflict(text), Vec::new()),
        }
    }

    /// How two ends part. Replies are left out, for they need not be comparable.
    fn difference(&self, other: &Self) -> Option<String> {
        let (this, that) = ("the first time", "the second time");
        if let (Self::Accepted(left, _), Self::Accepted(right, _)) = (self, other) {
            return difference(left, right, this, that);
        }
        let (left, right) = (self.text(), other.text());
        (left != right).then(|| format!("{left} {this}, {right} {that}"))
    }

    fn text(&self) -> String {
        match self {
            Self::Accepted(events, _) => texts(events, ", "),
            Self::Rejected(rejection) => format!("rejection {rejection:?}"),
            Self::Conflict(text) => format!("conflict: {text}"),
        }
    }
}

fn holds(expected: Expected, version: u64) -> bool {
    match expected {
        Expected::Any => true,
        Expected::Exists => version > 0,
        Expected::NoStream => version == 0,
        Expected::Exact(exact) => version == exact,
    }
}
