//! What a recorded call may have done, and all calls of one request together.

use std::collections::HashMap;

use crate::history::{Append, Commit, History, Moment, Outcome, Transaction};

/// A moment that is not known to come.
pub(super) const NEVER: Moment = Moment::MAX;

/// What became of a call's events, as far as its caller can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// They are there, by this call or by an earlier one.
    Made,
    /// Nobody knows, and nobody knows when.
    Perhaps,
    /// This call left nothing.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub(super) append: &'a Append,
    pub(super) transaction: Option<&'a Transaction>,
    pub(super) effect: Effect,
}

impl<'a> Call<'a> {
    fn new(append: &'a Append, transactions: &HashMap<u64, &'a Transaction>) -> Self {
        let transaction = append.transaction.and_then(|id| transactions.get(&id).copied());
        // A transaction that was never recorded is one whose end nobody saw.
        let commit = match (append.transaction, transaction) {
            (None, _) => Commit::Done,
            (Some(_), Some(transaction)) => transaction.commit,
            (Some(_), None) => Commit::Unknown,
        };
        let effect = match (&append.outcome, commit) {
            _ if append.undone => Effect::Nothing,
            (
                Outcome::Conflict { .. }
                | Outcome::Overtaken { .. }
                | Outcome::Closed { .. }
                | Outcome::Failed,
                _,
            )
            | (_, Commit::RolledBack) => Effect::Nothing,
            (Outcome::Done { .. }, Commit::Done) => Effect::Made,
            (Outcome::Done { .. }, Commit::Unknown) | (Outcome::Unknown, _) => Effect::Perhaps,
        };
        Self { append, transaction, effect }
    }

    /// Whether it says that it wrote the events itself.
    pub(super) fn is_first(&self) -> bool {
        matches!(self.append.outcome, Outcome::Done { repeated: false, .. })
    }

    /// When its events were certainly there for everybody.
    pub(super) fn made_by(&self) -> Moment {
        match (self.effect, self.transaction) {
            (Effect::Made, Some(transaction)) => transaction.ended,
            (Effect::Made, None) => self.append.ended,
            _ => NEVER,
        }
    }
}

/// All calls, those of one request side by side, in the order in which they began.
pub(super) fn of(history: &History) -> Vec<Call<'_>> {
    let transactions = history.transactions.iter().map(|t| (t.id, t)).collect();
    let mut calls: Vec<Call<'_>> =
        history.appends.iter().map(|append| Call::new(append, &transactions)).collect();
    calls.sort_by_key(|call| (call.append.request, call.append.begun));
    calls
}

/// What becomes visible at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Unit {
    Request(u64),
    Transaction(u64),
}

/// All calls of one request: where its events came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) calls: &'a [Call<'a>],
    /// Before this moment its events can't have been written.
    pub(super) begun: Moment,
    /// By this moment they were there: the first acknowledgement of all.
    pub(super) known: Moment,
    /// What the writer had read: the least, where nobody knows which call it was.
    pub(super) seen: u64,
    pub(super) unit: Unit,
}

pub(super) fn origins<'a>(calls: &'a [Call<'a>]) -> Vec<Origin<'a>> {
    calls.chunk_by(|a, b| a.append.request == b.append.request).map(Origin::of).collect()
}

impl<'a> Origin<'a> {
    fn of(calls: &'a [Call<'a>]) -> Self {
        let able = || calls.iter().filter(|call| call.effect != Effect::Nothing);
        let maker = only(able().filter(|call| call.effect == Effect::Made && call.is_first()))
            .or_else(|| only(able()));
        let least = |of: fn(&Append) -> u64| match maker {
            Some(maker) => of(maker.append),
            // Where none can have written it, all are suspects.
            None => able().map(|call| of(call.append)).min().unwrap_or_else(|| {
                calls.iter().map(|call| of(call.append)).min().unwrap_or_default()
            }),
        };
        let request = calls.first().map(|call| call.append.request).unwrap_or_default();
        let unit = maker
            .and_then(|maker| maker.append.transaction)
            .map_or(Unit::Request(request), Unit::Transaction);
        Self {
            calls,
            begun: least(|append| append.begun),
            known: calls.iter().map(Call::made_by).min().unwrap_or(NEVER),
            seen: least(|append| append.seen),
            unit,
        }
    }

    /// What was asked for: the same in every repetition.
    pub(super) fn first(&self) -> Option<&'a Append> {
        self.calls.first().map(|call| call.append)
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = u64> + use<'a> {
        self.first().into_iter().flat_map(|a| &a.parts).flat_map(|p| &p.marks).copied()
    }

    /// Whether some call may have left its events.
    pub(super) fn is_possible(&self) -> bool {
        self.calls.iter().any(|call| call.effect != Effect::Nothing)
    }
}

fn only<'a>(mut calls: impl Iterator<Item = &'a Call<'a>>) -> Option<&'a Call<'a>> {
    let first = calls.next()?;
    calls.next().is_none().then_some(first)
}
