//! The stored marks of each stream, with the moments between which each came to be in force.
//!
//! A mark that changed nothing is not stored, so those that are say all there is. They are tied to
//! calls by their numbers; where several calls may have made one, its times are wide.

use std::collections::{BTreeMap, HashMap};

use super::calls::NEVER;
use crate::history::{Act, Answer, History, Marking, Moment, StoredMark, Truth};

#[derive(Clone, Copy, Debug)]
pub(super) struct Deed {
    pub(super) stored: StoredMark,
    /// Before this moment it was not in force.
    pub(super) begun: Moment,
    /// From this moment on it was, or a later one in its place. [`NEVER`] if the history does not say.
    pub(super) known: Moment,
}

/// When a stream was closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) by: StoredMark,
    /// It may have been closed from here …
    pub(super) begun: Moment,
    /// … and certainly was from here …
    pub(super) known: Moment,
    /// … to here …
    pub(super) opening: Moment,
    /// … and not any more after this.
    pub(super) open: Moment,
}

#[derive(Default)]
pub(super) struct Deeds {
    streams: BTreeMap<u32, Vec<Deed>>,
}

impl Deeds {
    pub(super) fn of(history: &History, truth: &Truth) -> Self {
        let mut calls: HashMap<u64, Vec<&Marking>> = HashMap::new();
        for marking in &history.markings {
            calls.entry(marking.number).or_default().push(marking);
        }
        let mut rows: HashMap<u64, usize> = HashMap::new();
        for stored in &truth.marks {
            *rows.entry(stored.number).or_default() += 1;
        }
        let mut streams: BTreeMap<u32, Vec<Deed>> = BTreeMap::new();
        for stored in &truth.marks {
            let calls = calls.get(&stored.number).map_or(&[][..], Vec::as_slice);
            let single = rows.get(&stored.number) == Some(&1);
            let (begun, known) = times(calls, single);
            let deeds = streams.entry(stored.stream).or_default();
            deeds.push(Deed { stored: *stored, begun, known });
        }
        for deeds in streams.values_mut() {
            deeds.sort_by_key(|deed| deed.stored.order);
            narrow(deeds);
        }
        Self { streams }
    }

    pub(super) fn on(&self, stream: u32) -> &[Deed] {
        self.streams.get(&stream).map_or(&[], Vec::as_slice)
    }

    /// The times in which a stream was closed.
    pub(super) fn closings(&self, stream: u32) -> impl Iterator<Item = Closing> {
        let deeds = self.on(stream);
        let closes = |deed: &Deed| matches!(deed.stored.act, Act::Archive | Act::Tombstone);
        deeds.iter().enumerate().filter(move |(_, deed)| closes(deed)).map(|(place, deed)| {
            let later = deeds.iter().skip(place + 1);
            // Another closing takes its place as the reason that is told.
            let end = later.clone().find(|later| !matches!(later.stored.act, Act::Truncate { .. }));
            Closing {
                by: deed.stored,
                begun: deed.begun,
                known: deed.known,
                opening: end.map_or(NEVER, |end| end.begun),
                open: end.map_or(NEVER, |end| end.known),
            }
        })
    }
}

/// Between which moments one of these calls made its mark.
fn times(calls: &[&Marking], single: bool) -> (Moment, Moment) {
    let mut made = calls.iter().filter(|call| call.answer == Answer::Made);
    if single && let (Some(made), None) = (made.next(), made.next()) {
        return (made.begun, made.ended);
    }
    let able = |call: &&&Marking| matches!(call.answer, Answer::Made | Answer::Unknown);
    let begun = calls.iter().filter(able).map(|call| call.begun).min();
    (begun.unwrap_or(0), NEVER)
}

/// One comes after another.
fn narrow(deeds: &mut [Deed]) {
    let mut begun = 0;
    for deed in deeds.iter_mut() {
        begun = deed.begun.max(begun);
        deed.begun = begun;
    }
    let mut known = NEVER;
    for deed in deeds.iter_mut().rev() {
        known = deed.known.min(known);
        deed.known = known;
    }
}
