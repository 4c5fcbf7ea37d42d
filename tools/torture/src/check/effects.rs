//! G9 for a batch handler: it took in every event exactly once, and each stream in its order.

use std::collections::HashMap;

use super::Finding;
use super::case::Case;
use super::marks::ByMark;
use super::rule::Rule;
use crate::history::Effect;

const HANDLER: &str = "scribe";

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let effects = &case.truth.effects;
    if effects.is_empty() && !case.is_audited(HANDLER) {
        return Vec::new();
    }
    let mut untrue = Rule::new("G9");
    let mut doubled = Rule::new("G9");
    let mut disorder = Rule::new("G9");
    let mut first: ByMark<&Effect> = ByMark::default();
    first.reserve(effects.len());
    let mut last: HashMap<u32, &Effect> = HashMap::new();
    for effect in effects {
        check_true(case, effect, &mut untrue);
        if let Some(before) = first.insert(effect.mark, effect) {
            doubled.broken(|| {
                let text = format!("the handler took in mark {} twice", effect.mark);
                (text, shown(case, &[before, effect]))
            });
        }
        let before = last.insert(effect.stream, effect);
        if let Some(before) = before.filter(|before| before.version > effect.version) {
            disorder.broken(|| {
                let name = case.name(effect.stream);
                let text = format!(
                    "the handler took in version {} of {name} after {}",
                    effect.version, before.version
                );
                (text, shown(case, &[before, effect]))
            });
        }
    }
    let mut missing = Rule::new("G9");
    for fact in case.projected().filter(|fact| !first.contains_key(&fact.stored.mark)) {
        missing.broken(|| {
            let text = format!("the handler never took in mark {}", fact.stored.mark);
            let calls = fact.origin.map_or(&[][..], |origin| origin.calls);
            (text, case.excerpt().calls(calls).stored(fact.stored).lines())
        });
    }
    [missing, doubled, disorder, untrue].into_iter().flat_map(Rule::findings).collect()
}

fn check_true(case: &Case<'_>, effect: &Effect, untrue: &mut Rule) {
    let stored = case.facts.of_mark(effect.mark).map(|fact| fact.stored);
    let is_true = stored.is_some_and(|stored| {
        (stored.stream, stored.version, stored.position)
            == (effect.stream, effect.version, effect.position)
    });
    if !is_true {
        untrue.broken(|| {
            let text = format!("the handler took in mark {}, which is not stored so", effect.mark);
            let excerpt = case.excerpt().line(told(case, effect));
            (text, excerpt.stored_or_not(stored, effect.mark).lines())
        });
    }
}

fn shown(case: &Case<'_>, effects: &[&Effect]) -> Vec<String> {
    let shown = effects.iter().fold(case.excerpt(), |shown, effect| {
        let fact = case.facts.of_mark(effect.mark);
        shown.line(told(case, effect)).stored_or_not(fact.map(|fact| fact.stored), effect.mark)
    });
    shown.lines()
}

fn told(case: &Case<'_>, effect: &Effect) -> String {
    let Effect { mark, stream, version, position } = effect;
    let name = case.name(*stream);
    format!("effect: mark {mark}, {name} version {version} at {position}")
}
