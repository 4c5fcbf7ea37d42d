//! Everything a rule decides by.

use std::collections::BTreeMap;

use super::calls::Origin;
use super::excerpt::Excerpt;
use super::facts::{Fact, Facts};
use super::logs::{self, Log};
use crate::history::{History, Truth};

/// Views and the batch handler take in the events of this category.
const CATEGORY: &str = "account-";

pub(super) struct Case<'a> {
    pub(super) history: &'a History,
    pub(super) truth: &'a Truth,
    /// One for each request.
    pub(super) origins: &'a [Origin<'a>],
    pub(super) facts: &'a Facts<'a>,
    pub(super) logs: BTreeMap<u32, Log<'a>>,
    pub(super) empty: Log<'a>,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        history: &'a History,
        truth: &'a Truth,
        origins: &'a [Origin<'a>],
        facts: &'a Facts<'a>,
    ) -> Self {
        Self { history, truth, origins, facts, logs: logs::of(facts), empty: Log::default() }
    }

    pub(super) fn log(&self, stream: u32) -> &Log<'a> {
        self.logs.get(&stream).unwrap_or(&self.empty)
    }

    pub(super) fn name(&self, stream: u32) -> &'a str {
        name(self.history, stream)
    }

    pub(super) fn excerpt(&self) -> Excerpt<'a> {
        Excerpt::of(self.history)
    }

    /// The streams that are projected, by name.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (&'a str, &Log<'a>)> {
        let named = self.logs.iter().map(|(stream, log)| (self.name(*stream), log));
        named.filter(|(name, _)| name.starts_with(CATEGORY))
    }

    /// The events that are projected, by position.
    pub(super) fn projected(&self) -> impl Iterator<Item = &'a Fact<'a>> {
        let of_account: Vec<bool> =
            self.history.streams.iter().map(|name| name.starts_with(CATEGORY)).collect();
        self.facts.order.iter().filter(move |fact| {
            let stream = usize::try_from(fact.stored.stream).ok();
            stream.and_then(|stream| of_account.get(stream)).copied().unwrap_or(false)
        })
    }

    /// Whether a projection was at work in this schedule.
    pub(super) fn is_audited(&self, projection: &str) -> bool {
        self.truth.audit.iter().any(|change| change.projection == projection)
    }
}

pub(super) fn name(history: &History, stream: u32) -> &str {
    let named = usize::try_from(stream).ok().and_then(|stream| history.streams.get(stream));
    named.map_or("a stream without a name", String::as_str)
}
