//! G8: who holds up the order, and who must not.

use super::story::Story;
use crate::history::Stall;

fn stall(appends: bool, named: &str, reached: u64) -> Story {
    let mut story = Story::new();
    let (opened, closed) = story.tick();
    story.history.stalls.push(Stall {
        holder: "412".to_owned(),
        opened,
        closed,
        named: named.to_owned(),
        appends,
        before: 10,
        reached,
        acknowledged: 50,
    });
    story
}

#[test]
fn a_holder_that_is_named_and_a_bystander_that_stalls_nobody_are_fine() {
    stall(true, "backend 412 (psql), open for 2 s", 10).is_clean();
    stall(false, "", 50).is_clean();
}

#[test]
fn a_holder_that_is_not_named_is_found() {
    for named in ["", "backend 413"] {
        stall(true, named, 10).finds_only("G8", "412 held up the order, and was not named");
    }
}

#[test]
fn a_bystander_that_holds_up_the_order_is_found() {
    stall(false, "", 49).finds_only("G8", "412 appends nothing, and held up the order");
}
