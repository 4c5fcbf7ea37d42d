//! G8 for writers: while a stranger holds one stream, appends to others are acknowledged soon.
//!
//! Decided only where nothing else was done to the server then or shortly before.

use super::Finding;
use super::case::Case;
use super::rule::Rule;
use crate::history::{Fault, Hold, Moment, Neighbour};

/// So long an append may take on a busy machine.
const SOON: Moment = 2_500_000_000;
/// So long after a fault everybody may need to come back.
const AFTERMATH: Moment = 3_000_000_000;
/// Faults of the workers do not concern who appends.
const ELSEWHERE: [&str; 2] = ["kill-worker", "pause-worker"];

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut slow = Rule::new("G8");
    for hold in &case.history.holds {
        for neighbour in hold.neighbours.iter().filter(|n| is_slow(hold, n)) {
            if is_quiet(&case.history.faults, neighbour) {
                slow.broken(|| {
                    let (name, held) = (case.name(neighbour.stream), case.name(hold.stream));
                    let text = format!("an append to {name} waited for who held {held}");
                    let shown =
                        case.excerpt().moment(hold.opened, hold.closed, "held by a stranger");
                    let append =
                        format!("append to {name}, acknowledged: {}", neighbour.acknowledged);
                    (text, shown.moment(neighbour.begun, neighbour.ended, &append).lines())
                });
            }
        }
    }
    slow.findings()
}

/// Not answered soon, and all that time the stream was held.
fn is_slow(hold: &Hold, neighbour: &Neighbour) -> bool {
    let until = neighbour.begun + SOON;
    let in_time = neighbour.acknowledged && neighbour.ended <= until;
    !in_time && hold.opened <= neighbour.begun && until <= hold.closed
}

fn is_quiet(faults: &[Fault], neighbour: &Neighbour) -> bool {
    let from = neighbour.begun.saturating_sub(AFTERMATH);
    let strikes = |fault: &Fault| fault.begun <= neighbour.ended && from <= fault.ended;
    !faults.iter().any(|fault| strikes(fault) && !ELSEWHERE.contains(&fault.kind))
}
