mod bank;
use bank::*;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShelfId(u64);

#[derive(Event, Serialize, Deserialize)]
#[event(category = "shelf", id = ShelfId)]
enum ShelfEvent {
    Filled,
}

#[derive(Default, Aggregate)]
#[aggregate(id = ShelfId)]
struct Shelf;

impl Decider for Shelf {
    type Event = ShelfEvent;
    type Rejection = Refused;
    fn evolve(&mut self, _: &ShelfEvent) {}
}

async fn open(app: App) {
    drop(app.execute(&ShelfId(1), Open).await);
    drop(app.of::<Account>().execute(&ShelfId(1), Open).await);
}

fn main() {}
