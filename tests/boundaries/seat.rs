//! A recipe: two buyers and one seat.

use foldlog::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bank::bench;

#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "seat")]
struct Seat(u32);

#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Buyer(u32);

#[derive(Event, Debug, Serialize, Deserialize)]
#[event(category = "buyer", id = Buyer)]
enum BuyerEvent {
    Bought {
        #[tag]
        seat: Seat,
    },
    Returned {
        #[tag]
        seat: Seat,
    },
}

#[derive(Default)]
struct Sold(bool);

impl Model for Sold {
    type Event = BuyerEvent;
    type About = Seat;

    fn query(seat: &Seat) -> Query {
        Query::of::<BuyerEvent>().tag(seat)
    }

    fn evolve(&mut self, event: &Recorded<BuyerEvent>, _: &Seat) {
        self.0 = matches!(event.event, BuyerEvent::Bought { .. });
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the seat is sold")]
struct Gone;

struct Buy(Buyer, Seat);

impl Boundary for Buy {
    type Models = Sold;
    type Reply = ();
    type Rejection = Gone;

    fn about(&self) -> Seat {
        self.1
    }

    fn decide(&self, seat: &Sold, _: &BoundaryContext) -> Concluded<Self> {
        if seat.0 {
            return Err(Gone);
        }
        // Each buyer has a stream: no two buyers append to the same one.
        Ok(any(&self.0, BuyerEvent::Bought { seat: self.1 }).into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_buyers_one_gets_the_seat_and_the_other_is_told_that_it_is_sold() {
    let (_database, app) = bench().await;
    for n in 0..30 {
        let seat = Seat(n);
        let (one, two) = tokio::join!(
            tokio::spawn(app.decide(Buy(Buyer(1), seat)).into_future()),
            tokio::spawn(app.decide(Buy(Buyer(2), seat)).into_future()),
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        let buyer = won.unwrap().streams[0].stream.id::<BuyerEvent>().unwrap();
        assert!(matches!(lost.unwrap_err(), ExecuteError::Rejected(Gone)), "seat {n}");
        // Returned, it is for sale again.
        app.append([any(&buyer, BuyerEvent::Returned { seat })]).await.unwrap();
        app.decide(Buy(Buyer(3), seat)).await.unwrap();
    }
}
