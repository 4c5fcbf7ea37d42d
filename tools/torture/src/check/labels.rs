//! By what tags and kinds the stored events are found, as they were appended.

use std::collections::HashMap;

use super::case::Case;
use super::facts::Fact;
use super::marks::ByMark;
use crate::history::{Item, Tagged};

/// An event that has tags, and as what it was appended.
pub(super) type Labeled<'a> = (&'a Fact<'a>, &'a Tagged);

pub(super) struct Labels<'a> {
    by_mark: ByMark<&'a Tagged>,
    // By position, all of these.
    by_kind: HashMap<&'a str, Vec<Labeled<'a>>>,
    by_tag: HashMap<&'a str, Vec<Labeled<'a>>>,
}

impl<'a> Labels<'a> {
    pub(super) fn of(case: &Case<'a>) -> Self {
        let by_mark: ByMark<_> = case.history.tagged.iter().map(|t| (t.mark, t)).collect();
        let mut by_kind: HashMap<_, Vec<_>> = HashMap::new();
        let mut by_tag: HashMap<_, Vec<_>> = HashMap::new();
        for fact in &case.facts.order {
            let Some(tagged) = by_mark.get(&fact.stored.mark).copied() else { continue };
            by_kind.entry(tagged.kind).or_default().push((fact, tagged));
            for tag in &tagged.tags {
                by_tag.entry(tag.as_str()).or_default().push((fact, tagged));
            }
        }
        Self { by_mark, by_kind, by_tag }
    }

    /// Which of the items an event matches: a bit each.
    pub(super) fn matched(&self, mark: u64, items: &[Item]) -> u8 {
        let Some(tagged) = self.by_mark.get(&mark) else { return 0 };
        let bits = items.iter().enumerate().filter(|(_, item)| matches(item, tagged));
        bits.fold(0, |bits, (place, _)| bits | 1 << place)
    }

    /// The stored events that match an item, by position, but for those of an item without a tag: by
    /// kind. An item with neither is never asked for.
    pub(super) fn matching<'i>(
        &'i self,
        item: &'i Item,
    ) -> impl Iterator<Item = &'a Fact<'a>> + use<'i, 'a> {
        let of_tag = |tag: &String| self.by_tag.get(tag.as_str()).map_or(&[][..], Vec::as_slice);
        let shortest = item.tags.iter().map(of_tag).min_by_key(|events| events.len());
        let kinds = if shortest.is_some() { &[][..] } else { &item.kinds[..] };
        let of_kinds = kinds.iter().filter_map(|kind| self.by_kind.get(kind)).flatten();
        let found = shortest.into_iter().flatten().chain(of_kinds);
        found.filter(|(_, tagged)| matches(item, tagged)).map(|(fact, _)| *fact)
    }
}

fn matches(item: &Item, tagged: &Tagged) -> bool {
    (item.kinds.is_empty() || item.kinds.contains(&tagged.kind))
        && item.tags.iter().all(|tag| tagged.tags.contains(tag))
}
