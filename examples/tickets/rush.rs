//! The rush: every buyer is a task, and they all want the front row.

use std::fmt;

use foldlog::ExecuteError;
use foldlog::prelude::*;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Failure;
use crate::hall::{Buy, Buyer, OrderId, Promotion, ROWS, Refused, SEATS_PER_ROW, Seat};

const BUYERS: u32 = 24;
const CODES: u32 = 6;

/// What the buyers were told, by the replies to their orders.
#[derive(Debug, Default)]
pub struct Told {
    pub bought: usize,
    pub cents: u64,
    pub seat_sold: usize,
    pub limit_reached: usize,
    pub code_used: usize,
}

/// Sells until nobody wants or gets another seat.
pub async fn sell(app: &App) -> Result<Told, Failure> {
    let mut buyers = JoinSet::new();
    for n in 0..BUYERS {
        buyers.spawn(shop(app.clone(), Buyer(n)));
    }
    let mut told = Told::default();
    while let Some(buyer) = buyers.join_next().await {
        told.add(&buyer??);
    }
    Ok(told)
}

/// A buyer tries one seat after the other, from the front to the back.
async fn shop(app: App, buyer: Buyer) -> Result<Told, Failure> {
    let mut told = Told::default();
    // Four buyers have each code; it is of use to one of them.
    let mut promotion = Some(Promotion(format!("HALF-{}", buyer.0 % CODES)));
    let seats = (0..ROWS).flat_map(|row| (0..SEATS_PER_ROW).map(move |place| Seat { row, place }));
    for seat in seats {
        loop {
            let order = OrderId(Uuid::now_v7());
            let buy = Buy { order, seat, buyer, promotion: promotion.clone() };
            // The order's id makes it safe to send again, whatever became of the answer.
            let bought = app.decide(buy).command_id(order.0).retry(Retry::attempts(100)).await;
            match bought {
                Ok(done) => {
                    told.bought += 1;
                    told.cents += u64::from(done.reply);
                    promotion = None;
                }
                Err(ExecuteError::Rejected(Refused::CodeUsed)) => {
                    told.code_used += 1;
                    promotion = None;
                    continue;
                }
                Err(ExecuteError::Rejected(Refused::SeatSold)) => told.seat_sold += 1,
                Err(ExecuteError::Rejected(Refused::LimitReached)) => {
                    told.limit_reached += 1;
                    return Ok(told);
                }
                Err(error) => return Err(error.into()),
            }
            break;
        }
    }
    Ok(told)
}

impl Told {
    fn add(&mut self, other: &Self) {
        self.bought += other.bought;
        self.cents += other.cents;
        self.seat_sold += other.seat_sold;
        self.limit_reached += other.limit_reached;
        self.code_used += other.code_used;
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{BUYERS} buyers at once: {} orders accepted; refused: {} for a seat that was sold, {} at \
             the limit, {} for a code that was used",
            self.bought, self.seat_sold, self.limit_reached, self.code_used
        )
    }
}
