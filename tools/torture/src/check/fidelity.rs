//! G16: what is stored and what is delivered is, byte for byte, what was appended, and somebody
//! appended it.

use super::Finding;
use super::case::Case;
use super::rule::Rule;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut stored = Rule::new("G16");
    let mut nobodys = Rule::new("G16");
    for fact in &case.facts.order {
        let position = fact.stored.position;
        if !fact.stored.intact {
            stored.broken(|| {
                let text = format!("the event stored at {position} is not what was appended");
                (text, case.excerpt().stored(fact.stored).lines())
            });
        }
        if fact.origin.is_none() {
            nobodys.broken(|| {
                let text = format!("nobody appended the event stored at {position}");
                (text, case.excerpt().stored(fact.stored).lines())
            });
        }
    }
    let mut delivered = Rule::new("G16");
    for page in &case.history.pages {
        for seen in page.events.iter().filter(|seen| !seen.intact) {
            delivered.broken(|| {
                let text =
                    format!("the event delivered at {} is not what was appended", seen.position);
                (text, case.excerpt().page(page).seen(seen).lines())
            });
        }
    }
    [stored, nobodys, delivered].into_iter().flat_map(Rule::findings).collect()
}
