//! G19: whoever tries to change what is stored is refused. That the stored events are those that were
//! appended is for `durable` and `fidelity` to say.

use super::Finding;
use super::case::Case;
use super::rule::Rule;

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut done = Rule::new("G19");
    for tamper in case.history.tampers.iter().filter(|tamper| tamper.done) {
        done.broken(|| {
            let text = format!("{} could change what is stored", tamper.role);
            let shown = case.excerpt().moment(tamper.begun, tamper.ended, &tamper.statement);
            (text, shown.lines())
        });
    }
    done.findings()
}
