mod bank;
use bank::*;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShelfId(u64);

#[derive(Event, Serialize, Deserialize)]
#[event(category = "shelf", id = ShelfId)]
enum ShelfEvent {
    Filled,
}

#[derive(Default, Serialize, Deserialize, Aggregate)]
#[aggregate(id = ShelfId, snapshot_every = 100)]
struct Shelf;

impl Decider for Shelf {
    type Event = ShelfEvent;
    type Rejection = Refused;
    fn evolve(&mut self, _: &ShelfEvent) {}
}

fn main() {}
