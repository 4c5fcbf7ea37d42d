//! G4 for closed streams: nothing is appended after a mark that closes, before one that opens again;
//! and who is refused by a mark is refused by one that may have been in force.
//!
//! Not decided: appends of which nobody knows when they were made, around an opening.

use super::Finding;
use super::calls::{Call, NEVER};
use super::case::Case;
use super::deeds::{Closing, Deeds};
use super::rule::Rule;
use crate::history::{Act, Answer, Outcome};

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let deeds = Deeds::of(case.history, case.truth);
    let mut late = Rule::new("G4");
    for (stream, log) in &case.logs {
        for closing in deeds.closings(*stream) {
            let stands = |known: u64| known.min(NEVER - 1) < closing.opening;
            let later = |fact: &&&super::facts::Fact<'_>| fact.begun > closing.known;
            for fact in log.facts.iter().filter(later).filter(|fact| stands(fact.known)) {
                late.broken(|| {
                    let (name, by) = (case.name(*stream), closing.by.number);
                    let text = format!("{name} was appended to after mark {by} had closed it");
                    let calls = fact.origin.map_or(&[][..], |origin| origin.calls);
                    let shown = case.excerpt().calls(calls).stored(fact.stored);
                    (text, marks(case, shown, by).lines())
                });
            }
        }
    }
    let mut untrue = Rule::new("G4");
    for call in case.origins.iter().flat_map(|origin| origin.calls) {
        check_refusal(case, &deeds, call, &mut untrue);
    }
    let mut idle = Rule::new("G4");
    check_idle(case, &deeds, &mut idle);
    [late, untrue, idle].into_iter().flat_map(Rule::findings).collect()
}

fn check_refusal(case: &Case<'_>, deeds: &Deeds, call: &Call<'_>, rule: &mut Rule) {
    let Outcome::Closed { by, forever } = call.append.outcome else { return };
    let act = if forever { Act::Tombstone } else { Act::Archive };
    let explains = |closing: Closing| {
        (closing.by.number, closing.by.act) == (by, act)
            && closing.begun < call.append.ended
            && closing.open > call.append.begun
    };
    let mut streams = call.append.parts.iter().map(|part| part.stream);
    if streams.any(|stream| deeds.closings(stream).any(explains)) {
        return;
    }
    rule.broken(|| {
        let text = format!("an append was refused by mark {by}, which was not in force");
        (text, marks(case, case.excerpt().call(call.append), by).lines())
    });
}

/// A mark that changed nothing, since the stream stood so.
fn check_idle(case: &Case<'_>, deeds: &Deeds, rule: &mut Rule) {
    for marking in case.history.markings.iter().filter(|m| m.answer == Answer::AsBefore) {
        let stood =
            |closing: &Closing| closing.begun < marking.ended && closing.open > marking.begun;
        let open = || {
            // From the beginning, or by an opening that may have come before.
            let mut closings = deeds.closings(marking.stream).peekable();
            closings.all(|closing| closing.known > marking.begun || closing.opening < marking.ended)
        };
        let is_true = match marking.act {
            Act::Archive => deeds
                .closings(marking.stream)
                .any(|closing| closing.by.act == Act::Archive && stood(&closing)),
            Act::Tombstone => deeds
                .closings(marking.stream)
                .any(|closing| closing.by.act == Act::Tombstone && stood(&closing)),
            Act::Unarchive => open(),
            Act::Truncate { before, .. } => {
                let cut = |deed: &super::deeds::Deed| {
                    let at =
                        matches!(deed.stored.act, Act::Truncate { before: at, .. } if at >= before);
                    at && deed.begun < marking.ended
                };
                before == 1 || deeds.on(marking.stream).iter().any(cut)
            }
        };
        if !is_true {
            rule.broken(|| {
                let (name, number) = (case.name(marking.stream), marking.number);
                let text = format!("mark {number} found that {name} stood so, which it did not");
                (text, marks(case, case.excerpt(), number).lines())
            });
        }
    }
}

/// The calls of a mark.
pub(super) fn marks<'a>(
    case: &Case<'a>,
    shown: super::excerpt::Excerpt<'a>,
    number: u64,
) -> super::excerpt::Excerpt<'a> {
    let calls = case.history.markings.iter().filter(|marking| marking.number == number);
    calls.fold(shown, |shown, call| {
        let name = case.name(call.stream);
        let text = format!("mark {number} of {name}, {:?}: {:?}", call.act, call.answer);
        shown.moment(call.begun, call.ended, &text)
    })
}
