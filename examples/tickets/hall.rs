//! The domain: seats, buyers, promotion codes, and what a purchase must not do.

use foldlog::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub const ROWS: u16 = 6;
pub const SEATS_PER_ROW: u16 = 8;
pub const TICKETS_PER_BUYER: usize = 4;
const CENTS: u32 = 4_000;

/// Each order has a stream: no two orders ever append to the same one.
#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderId(pub Uuid);

#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "seat")]
pub struct Seat {
    pub row: u16,
    pub place: u16,
}

#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "buyer")]
pub struct Buyer(pub u32);

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "promotion")]
pub struct Promotion(pub String);

#[derive(Event, Debug, Serialize, Deserialize)]
#[event(category = "order", id = OrderId)]
pub enum OrderEvent {
    Bought {
        #[tag]
        seat: Seat,
        #[tag]
        buyer: Buyer,
        #[tag]
        promotion: Option<Promotion>,
        cents: u32,
    },
}

/// Whether a seat is sold.
#[derive(Default)]
pub struct Sold(bool);

impl Model for Sold {
    type Event = OrderEvent;
    type About = Seat;
    fn query(seat: &Seat) -> Query {
        Query::of::<OrderEvent>().tag(seat)
    }
    fn evolve(&mut self, _: &Recorded<OrderEvent>, _: &Seat) {
        self.0 = true;
    }
}

/// How many tickets a buyer has.
#[derive(Default)]
pub struct Tickets(usize);

impl Model for Tickets {
    type Event = OrderEvent;
    type About = Buyer;
    fn query(buyer: &Buyer) -> Query {
        Query::of::<OrderEvent>().tag(buyer)
    }
    fn evolve(&mut self, _: &Recorded<OrderEvent>, _: &Buyer) {
        self.0 += 1;
    }
}

/// Whether a promotion code was used. Where no code is given, nothing is asked.
#[derive(Default)]
pub struct Used(bool);

impl Model for Used {
    type Event = OrderEvent;
    type About = Option<Promotion>;
    fn query(code: &Option<Promotion>) -> Query {
        match code {
            Some(code) => Query::of::<OrderEvent>().tag(code),
            None => Query::default(),
        }
    }
    fn evolve(&mut self, _: &Recorded<OrderEvent>, _: &Option<Promotion>) {
        self.0 = true;
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("the seat is sold")]
    SeatSold,
    #[error("{TICKETS_PER_BUYER} tickets are enough for one buyer")]
    LimitReached,
    #[error("the promotion code was used")]
    CodeUsed,
}

/// Answers the price.
#[derive(Clone, Debug)]
pub struct Buy {
    pub order: OrderId,
    pub seat: Seat,
    pub buyer: Buyer,
    pub promotion: Option<Promotion>,
}

impl Boundary for Buy {
    type Models = (Sold, Tickets, Used);
    type Reply = u32;
    type Rejection = Refused;

    fn about(&self) -> (Seat, Buyer, Option<Promotion>) {
        (self.seat, self.buyer, self.promotion.clone())
    }

    fn decide(
        &self,
        (seat, tickets, code): &(Sold, Tickets, Used),
        _: &BoundaryContext,
    ) -> Concluded<Self> {
        if tickets.0 >= TICKETS_PER_BUYER {
            return Err(Refused::LimitReached);
        }
        if seat.0 {
            return Err(Refused::SeatSold);
        }
        if code.0 {
            return Err(Refused::CodeUsed);
        }
        let cents = if self.promotion.is_some() { CENTS / 2 } else { CENTS };
        let Self { seat, buyer, promotion, .. } = self.clone();
        let bought = OrderEvent::Bought { seat, buyer, promotion, cents };
        Ok((no_stream(&self.order, bought), cents).into())
    }
}
