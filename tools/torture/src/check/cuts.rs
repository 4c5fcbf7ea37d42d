//! G4 for streams that were truncated or tombstoned: a read begins where the stream was cut, neither
//! earlier than is known nor later than was asked for, and has every event from there to its end.

use super::Finding;
use super::case::Case;
use super::closed::marks;
use super::deeds::{Deed, Deeds};
use super::rule::Rule;
use crate::history::{Act, Found, StreamRead};

struct Rules {
    first: Rule,
    events: Rule,
    closed: Rule,
}

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let deeds = Deeds::of(case.history, case.truth);
    let rule = || Rule::new("G4");
    let mut rules = Rules { first: rule(), events: rule(), closed: rule() };
    for read in &case.history.reads {
        check_closed(case, &deeds, read, &mut rules.closed);
        if let Found::Events { first, version, summary, events } = &read.found {
            check_first(case, &deeds, read, (*first, *summary), &mut rules.first);
            check_events(case, read, (*first, *version), events, &mut rules.events);
        }
    }
    let Rules { first, events, closed } = rules;
    [first, events, closed].into_iter().flat_map(Rule::findings).collect()
}

fn cut(deed: &Deed) -> Option<(u64, bool)> {
    match deed.stored.act {
        Act::Truncate { before, summary } => Some((before, summary)),
        _ => None,
    }
}

/// Where the stream begins is where a mark put it that may have been the last.
fn check_first(
    case: &Case<'_>,
    deeds: &Deeds,
    read: &StreamRead,
    told: (u64, bool),
    rule: &mut Rule,
) {
    let deeds = deeds.on(read.stream);
    let cuts = || deeds.iter().filter(|deed| cut(deed).is_some());
    let last = cuts().rfind(|deed| deed.known < read.begun);
    let least = last.map_or(0, |deed| deed.stored.order);
    let may_be = cuts().filter(|deed| deed.stored.order >= least && deed.begun < read.ended);
    let uncut = last.is_none() && told == (1, false);
    if uncut || may_be.filter_map(cut).any(|cut| cut == told) {
        return;
    }
    rule.broken(|| {
        let (name, (first, _)) = (case.name(read.stream), told);
        let text = format!("{name} was read from version {first}, where no mark had cut it");
        let shown = cuts().fold(shown(case, read), |s, deed| marks(case, s, deed.stored.number));
        (text, shown.lines())
    });
}

/// Every event from the first to the last version, as it is stored.
fn check_events(
    case: &Case<'_>,
    read: &StreamRead,
    (first, version): (u64, u64),
    events: &[(u64, u64)],
    rule: &mut Rule,
) {
    let log = case.log(read.stream);
    let name = case.name(read.stream);
    let (least, most) = (log.at_least(read.begun), log.at_most(read.ended));
    let mut broken = |text: String| rule.broken(|| (text, shown(case, read).lines()));
    if version < least || version > most {
        return broken(format!(
            "{name} was read at version {version}, and was between {least} and {most}"
        ));
    }
    let mut expected = first..=version;
    for (version, mark) in events {
        let stored = log.fact(*version).map(|fact| fact.stored.mark);
        if expected.next() != Some(*version) || stored != Some(*mark) {
            return broken(format!(
                "{name} was read with version {version}, which has no place there"
            ));
        }
    }
    if let Some(missing) = expected.next() {
        broken(format!("{name} was read without version {missing}"));
    }
}

/// Not read after a tombstone, and not refused without one.
fn check_closed(case: &Case<'_>, deeds: &Deeds, read: &StreamRead, rule: &mut Rule) {
    let mut tombs = deeds.closings(read.stream).filter(|c| c.by.act == Act::Tombstone);
    let name = case.name(read.stream);
    let text = match read.found {
        Found::Events { .. } => {
            let Some(tomb) = tombs.find(|tomb| tomb.known < read.begun) else { return };
            format!("{name} was read after mark {} had closed it for ever", tomb.by.number)
        }
        Found::Tombstoned { by } => {
            if tombs.any(|tomb| tomb.by.number == by && tomb.begun < read.ended) {
                return;
            }
            format!("a read of {name} was refused by mark {by}, which was not in force")
        }
    };
    rule.broken(|| (text, shown(case, read).lines()));
}

fn shown<'a>(case: &Case<'a>, read: &StreamRead) -> super::excerpt::Excerpt<'a> {
    let found = match &read.found {
        Found::Events { first, version, summary, events } => {
            let count = events.len();
            format!("from {first} to {version}, {count} events, summary: {summary}")
        }
        Found::Tombstoned { by } => format!("tombstoned by mark {by}"),
    };
    let text = format!("read of {}: {found}", case.name(read.stream));
    case.excerpt().moment(read.begun, read.ended, &text)
}
