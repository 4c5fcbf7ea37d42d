//! G7: a reader of the settled order is given every event once, in order, and nothing else.
//!
//! A server that crashes may draw positions again that nobody stored. So an event that was appended
//! after a page reached beyond its place is no loss of that page, if something was done to the system
//! between: it counts for the pages that came later.

use std::collections::{BTreeMap, HashMap};

use super::Finding;
use super::case::Case;
use super::facts::Fact;
use super::rule::Rule;
use crate::history::{Moment, Page, Seen};

struct Rules {
    /// A page does not go on where the one before ended.
    broken_off: Rule,
    /// Not in order, delivered again, or outside of what the page says it covers.
    disorder: Rule,
    gap: Rule,
    /// Delivered, and not stored so.
    untrue: Rule,
    missing: Rule,
}

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut rules = Rules {
        broken_off: Rule::new("G7"),
        disorder: Rule::new("G7"),
        gap: Rule::new("G7"),
        untrue: Rule::new("G7"),
        missing: Rule::new("G7"),
    };
    let mut readers: BTreeMap<u32, Vec<&Page>> = BTreeMap::new();
    for page in &case.history.pages {
        readers.entry(page.reader).or_default().push(page);
    }
    for mut pages in readers.into_values() {
        pages.sort_by_key(|page| (page.life, page.begun));
        let mut reader = Reader::new(case, pages.first().map_or(0, |page| page.after));
        pages.iter().for_each(|page| reader.follow(page, &mut rules));
        check_complete(case, &pages, &mut rules.missing);
    }
    let Rules { broken_off, disorder, gap, untrue, missing } = rules;
    [missing, untrue, disorder, gap, broken_off].into_iter().flat_map(Rule::findings).collect()
}

struct Reader<'a> {
    case: &'a Case<'a>,
    previous: Option<&'a Page>,
    /// The last position that was delivered in this life.
    last: Option<u64>,
    /// The highest that was delivered in any life, or where it began.
    reached: u64,
    /// Of each stream, as it was delivered; of readers that began with the first event.
    versions: Option<HashMap<u32, u64>>,
}

impl<'a> Reader<'a> {
    fn new(case: &'a Case<'a>, after: u64) -> Self {
        let versions = (after == 0).then(HashMap::new);
        Self { case, previous: None, last: None, reached: after, versions }
    }

    fn follow(&mut self, page: &'a Page, rules: &mut Rules) {
        self.check_start(page, &mut rules.broken_off);
        if self.previous.is_some_and(|previous| previous.life != page.life) {
            self.last = None;
        }
        let mut stored = self.case.facts.between(page.after, page.through);
        for seen in &page.events {
            stored = from(stored, seen.position);
            let at = stored.first().filter(|fact| fact.stored.position == seen.position);
            let fact = at.or_else(|| self.case.facts.at(seen.position));
            self.check_seen(page, seen, fact, &mut rules.untrue);
            self.check_place(page, seen, fact, &mut rules.disorder);
            if seen.position > self.reached {
                self.check_version(page, seen, &mut rules.gap);
                self.reached = seen.position;
            }
            self.last = Some(seen.position);
        }
        self.previous = Some(page);
    }

    fn check_start(&self, page: &Page, rule: &mut Rule) {
        let Some(previous) = self.previous else { return };
        let fits = if previous.life == page.life {
            page.after == previous.through
        } else {
            page.after <= self.reached
        };
        if !fits || page.through < page.after {
            rule.broken(|| {
                let text = format!(
                    "reader {} goes on after {}, and had been given up to {}",
                    page.reader, page.after, self.reached
                );
                (text, self.case.excerpt().page(previous).page(page).lines())
            });
        }
    }

    fn check_seen(&self, page: &Page, seen: &Seen, fact: Option<&Fact<'_>>, rule: &mut Rule) {
        let is_stored = fact.is_some_and(|fact| {
            let stored = fact.stored;
            (stored.stream, stored.version, stored.mark) == (seen.stream, seen.version, seen.mark)
        });
        if !is_stored {
            rule.broken(|| {
                let what = fact.map_or("was never stored", |_| "is stored otherwise");
                let text = format!(
                    "reader {} was given an event at {} that {what}",
                    page.reader, seen.position
                );
                let excerpt = self.case.excerpt().page(page).seen(seen);
                (text, fact.into_iter().fold(excerpt, |e, fact| e.stored(fact.stored)).lines())
            });
        }
    }

    fn check_place(&self, page: &Page, seen: &Seen, fact: Option<&Fact<'_>>, rule: &mut Rule) {
        let rises = self.last.is_none_or(|last| seen.position > last);
        let before = || fact.zip(self.previous);
        let above = seen.position > page.after
            || before().is_some_and(|(fact, before)| {
                before.ended < fact.begun && is_disturbed(self.case, before.begun, fact.known)
            });
        if !rises || !above || seen.position > page.through {
            rule.broken(|| {
                let text = format!(
                    "reader {} was given position {} out of order, after {}",
                    page.reader,
                    seen.position,
                    self.last.unwrap_or(page.after)
                );
                let excerpt = self.case.excerpt();
                let excerpt =
                    self.previous.into_iter().fold(excerpt, super::excerpt::Excerpt::page);
                (text, excerpt.page(page).seen(seen).lines())
            });
        }
    }

    fn check_version(&mut self, page: &Page, seen: &Seen, rule: &mut Rule) {
        let Some(versions) = &mut self.versions else { return };
        let before = versions.insert(seen.stream, seen.version).unwrap_or_default();
        if seen.version != before + 1 {
            rule.broken(|| {
                let name = self.case.name(seen.stream);
                let text = format!(
                    "reader {} was given version {} of {name} after {before}",
                    page.reader, seen.version
                );
                (text, self.case.excerpt().page(page).seen(seen).lines())
            });
        }
    }
}

/// The rest of the facts, from a position on. It is near: pages and facts are walked side by side.
fn from<'f, 'a>(facts: &'f [Fact<'a>], position: u64) -> &'f [Fact<'a>] {
    let passed = facts.iter().take_while(|fact| fact.stored.position < position).count();
    facts.get(passed..).unwrap_or_default()
}

/// Whether something was done to the system between two moments.
fn is_disturbed(case: &Case<'_>, from: Moment, to: Moment) -> bool {
    case.history.faults.iter().any(|fault| fault.begun <= to && from <= fault.ended)
}

/// What of all pages of a reader reaches beyond a position: the latest of them.
struct Reached<'a> {
    /// By `through`; of those from each on, the one that ended last.
    latest: Vec<(u64, &'a Page)>,
}

impl<'a> Reached<'a> {
    fn of(pages: &[&'a Page]) -> Self {
        let mut latest: Vec<(u64, &Page)> =
            pages.iter().map(|page| (page.through, *page)).collect();
        latest.sort_by_key(|(through, _)| *through);
        let mut last: Option<&Page> = None;
        for (_, page) in latest.iter_mut().rev() {
            let newest = last.filter(|last| last.ended > page.ended).unwrap_or(page);
            *page = newest;
            last = Some(newest);
        }
        Self { latest }
    }

    fn beyond(&self, position: u64) -> Option<&'a Page> {
        let place = self.latest.partition_point(|(through, _)| *through < position);
        self.latest.get(place).map(|(_, page)| *page)
    }
}

/// Everything that is stored, up to where a reader came, was delivered to it.
fn check_complete(case: &Case<'_>, pages: &[&Page], missing: &mut Rule) {
    let after = pages.first().map_or(0, |page| page.after);
    let through = pages.iter().map(|page| page.through).max().unwrap_or_default();
    let events = || pages.iter().flat_map(|page| &page.events);
    let mut delivered: Vec<u64> = events().map(|seen| seen.position).collect();
    delivered.sort_unstable();
    let reached = Reached::of(pages);
    let mut delivered = delivered.into_iter().peekable();
    for fact in case.facts.between(after, through) {
        let position = fact.stored.position;
        while delivered.next_if(|delivered| *delivered < position).is_some() {}
        if delivered.peek() == Some(&position) {
            continue;
        }
        let Some(page) = reached.beyond(position) else { continue };
        if page.ended < fact.begun && is_disturbed(case, page.begun, fact.known) {
            continue;
        }
        missing.broken(|| {
            let text = format!(
                "reader {} was told of everything up to {through}, and never given {position}",
                page.reader
            );
            let covers = |page: &&&Page| page.after < position && position <= page.through;
            let over = pages.iter().find(covers).unwrap_or(&page);
            let calls = fact.origin.map_or(&[][..], |origin| origin.calls);
            (text, case.excerpt().calls(calls).stored(fact.stored).page(over).lines())
        });
    }
}
