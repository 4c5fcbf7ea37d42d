//! Marks and reads in a history made by hand.

use super::story::Story;
use crate::history::{Act, Answer, Found, Marking, Standing, StoredMark, StreamRead};

impl Story {
    /// A mark that is made and acknowledged; its number.
    pub(super) fn mark(&mut self, stream: u32, act: Act) -> u64 {
        let number = self.mark_as(stream, act, Answer::Made);
        let of_stream = self.truth.marks.iter().filter(|stored| stored.stream == stream);
        let order = of_stream.count() as u64 + 1;
        self.truth.marks.push(StoredMark { stream, order, act, number });
        let standing = self.standing(stream);
        self.truth.standings.retain(|other| other.stream != stream);
        self.truth.standings.push(standing);
        number
    }

    /// A mark that changed nothing.
    pub(super) fn mark_idle(&mut self, stream: u32, act: Act) -> u64 {
        self.mark_as(stream, act, Answer::AsBefore)
    }

    fn mark_as(&mut self, stream: u32, act: Act, answer: Answer) -> u64 {
        let number = 701 + self.history.markings.len() as u64;
        let (begun, ended) = self.tick();
        self.history.markings.push(Marking { number, stream, act, begun, ended, answer });
        number
    }

    /// As the stored marks say.
    pub(super) fn standing(&self, stream: u32) -> Standing {
        let begun =
            Standing { stream, archived: false, tombstoned: false, first: 1, summary: false };
        let mut marks: Vec<_> = self.truth.marks.iter().filter(|m| m.stream == stream).collect();
        marks.sort_by_key(|stored| stored.order);
        marks.into_iter().fold(begun, |stands, stored| match stored.act {
            Act::Archive => Standing { archived: true, ..stands },
            Act::Unarchive => Standing { archived: false, ..stands },
            Act::Tombstone => Standing { archived: false, tombstoned: true, ..stands },
            Act::Truncate { before, summary } => Standing { first: before, summary, ..stands },
        })
    }

    /// A read of what is there.
    pub(super) fn read(&mut self, stream: u32) -> &mut StreamRead {
        let (begun, ended) = self.tick();
        let Standing { first, summary, .. } = self.standing(stream);
        let events = self.truth.events.iter().filter(|stored| stored.stream == stream);
        let seen = events.filter(|stored| stored.version >= first);
        let events = seen.map(|stored| (stored.version, stored.mark)).collect();
        let found = Found::Events { first, version: self.version(stream), summary, events };
        self.history.reads.push(StreamRead { stream, begun, ended, found });
        self.history.reads.last_mut().unwrap()
    }
}
