//! G2 and G3 for marks: what was acknowledged is stored, once for each time, in the order of real time,
//! and nothing else is; and the stream's row stands as its marks say.

use std::collections::{BTreeMap, HashMap};

use super::Finding;
use super::case::Case;
use super::closed::marks;
use super::deeds::{Deed, Deeds};
use super::rule::Rule;
use crate::history::{Act, Answer, Marking, Standing};

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut kept = Rule::new("G2");
    check_kept(case, &mut kept);
    let deeds = Deeds::of(case.history, case.truth);
    let mut order = Rule::new("G4");
    let mut row = Rule::new("G4");
    let told = case.truth.standings.iter().map(|standing| (standing.stream, *standing));
    let told: BTreeMap<u32, Standing> = told.collect();
    let mut streams: Vec<u32> = case.truth.marks.iter().map(|stored| stored.stream).collect();
    streams.extend(told.keys());
    streams.sort_unstable();
    streams.dedup();
    for stream in streams {
        check_order(case, deeds.on(stream), &mut order);
        let expected = standing(stream, deeds.on(stream));
        let stands =
            told.get(&stream).copied().unwrap_or(Standing { stream, ..standing(stream, &[]) });
        if stands != expected {
            row.broken(|| {
                let name = case.name(stream);
                let text = format!("{name} does not stand as its marks say");
                let line = format!("expected {expected:?}, stands {stands:?}");
                (text, case.excerpt().line(line).lines())
            });
        }
    }
    [kept, order, row].into_iter().flat_map(Rule::findings).collect()
}

/// As often stored as it was made, or may have been.
fn check_kept(case: &Case<'_>, rule: &mut Rule) {
    let mut calls: HashMap<u64, Vec<&Marking>> = HashMap::new();
    for marking in &case.history.markings {
        calls.entry(marking.number).or_default().push(marking);
    }
    let mut rows: HashMap<u64, usize> = HashMap::new();
    for stored in &case.truth.marks {
        let calls = calls.get(&stored.number).map_or(&[][..], Vec::as_slice);
        let like = |call: &&&Marking| call.stream == stored.stream && is_of(call.act, stored.act);
        if calls.iter().find(like).is_none() {
            broken(case, stored.number, "is stored and was asked for by nobody", rule);
        }
        *rows.entry(stored.number).or_default() += 1;
    }
    for (number, calls) in calls {
        let answered = |answer| calls.iter().filter(|call| call.answer == answer).count();
        let (made, unknown) = (answered(Answer::Made), answered(Answer::Unknown));
        let stored = rows.get(&number).copied().unwrap_or_default();
        if stored < made {
            broken(case, number, "was acknowledged and is not stored", rule);
        } else if stored > made + unknown {
            broken(case, number, "is stored more often than it was made", rule);
        }
    }
}

/// What is stored of a truncation says where the stream begins then, and whether with a summary.
fn is_of(asked: Act, stored: Act) -> bool {
    match (asked, stored) {
        (Act::Truncate { before: asked, .. }, Act::Truncate { before, .. }) => asked == before,
        _ => asked == stored,
    }
}

fn broken(case: &Case<'_>, number: u64, what: &str, rule: &mut Rule) {
    rule.broken(|| (format!("mark {number} {what}"), marks(case, case.excerpt(), number).lines()));
}

/// One that was acknowledged before another began comes before it.
fn check_order(case: &Case<'_>, deeds: &[Deed], rule: &mut Rule) {
    for pair in deeds.windows(2) {
        let [one, next] = pair else { continue };
        // The moments were narrowed: a contradiction shows as an end before the begin.
        if let Some(deed) = [one, next].into_iter().find(|deed| deed.known < deed.begun) {
            return rule.broken(|| {
                let text =
                    format!("mark {} does not stand in the order of time", deed.stored.number);
                let shown = marks(case, case.excerpt(), one.stored.number);
                (text, marks(case, shown, next.stored.number).lines())
            });
        }
    }
}

/// How a stream stands after its marks.
fn standing(stream: u32, deeds: &[Deed]) -> Standing {
    let begun = Standing { stream, archived: false, tombstoned: false, first: 1, summary: false };
    deeds.iter().fold(begun, |stands, deed| match deed.stored.act {
        Act::Archive => Standing { archived: true, ..stands },
        Act::Unarchive => Standing { archived: false, ..stands },
        Act::Tombstone => Standing { archived: false, tombstoned: true, ..stands },
        Act::Truncate { before, summary } => Standing { first: before, summary, ..stands },
    })
}
