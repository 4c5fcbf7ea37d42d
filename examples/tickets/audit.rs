//! What was sold, read back from the store; and whether it may be.

use std::collections::BTreeMap;
use std::fmt;

use foldlog::Position;
use foldlog::prelude::*;

use crate::Failure;
use crate::hall::{Buyer, OrderEvent, Promotion, ROWS, SEATS_PER_ROW, Seat, TICKETS_PER_BUYER};
use crate::rush::Told;

const CODES: usize = 6;

/// How often each seat was sold, what each buyer has, and how often each code was used.
#[derive(Debug, Default)]
pub struct Account {
    seats: BTreeMap<Seat, usize>,
    buyers: BTreeMap<Buyer, usize>,
    codes: BTreeMap<Promotion, usize>,
    cents: u64,
}

/// Reads all orders of a tenant. It asks as a decision does, and appends nothing.
pub async fn read(app: &App, tenant: &Tenant) -> Result<Account, Failure> {
    let mut sold = Account::default();
    let orders = Query::of::<OrderEvent>();
    let enter = |raw: &foldlog::RawEvent, _: &[usize]| {
        let OrderEvent::Bought { seat, buyer, promotion, cents } = raw.typed::<OrderEvent>()?.event;
        *sold.seats.entry(seat).or_default() += 1;
        *sold.buyers.entry(buyer).or_default() += 1;
        if let Some(code) = promotion {
            *sold.codes.entry(code).or_default() += 1;
        }
        sold.cents += u64::from(cents);
        Ok(())
    };
    app.store().read_matching(tenant, &orders, Position::START, enter).await?;
    Ok(sold)
}

impl Account {
    /// What must not be, a sentence each.
    pub fn flaws(&self, told: &Told) -> Vec<String> {
        let mut flaws = Vec::new();
        for (seat, times) in self.seats.iter().filter(|(_, times)| **times > 1) {
            flaws.push(format!("row {} seat {} was sold {times} times", seat.row, seat.place));
        }
        for (Buyer(n), has) in self.buyers.iter().filter(|(_, has)| **has > TICKETS_PER_BUYER) {
            flaws.push(format!("buyer {n} has {has} tickets"));
        }
        for (Promotion(code), times) in self.codes.iter().filter(|(_, times)| **times > 1) {
            flaws.push(format!("the code {code} was used {times} times"));
        }
        let sold: usize = self.seats.values().sum();
        if (sold, self.cents) != (told.bought, told.cents) {
            flaws.push(format!("{} orders were confirmed, {sold} are stored", told.bought));
        }
        // They all tried every seat: none is left while somebody may still buy.
        if self.seats.len() < usize::from(ROWS) * usize::from(SEATS_PER_ROW) {
            flaws.push("a seat was left over".to_owned());
        }
        flaws
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.buyers.values().max().copied().unwrap_or_default();
        writeln!(
            f,
            "{} of {} seats sold to {} buyers, at most {most} to each; {} of {CODES} promotion codes \
             used; {}.{:02} taken",
            self.seats.len(),
            u32::from(ROWS) * u32::from(SEATS_PER_ROW),
            self.buyers.len(),
            self.codes.len(),
            self.cents / 100,
            self.cents % 100
        )?;
        // A letter for each seat: who has it.
        for row in 0..ROWS {
            let of = |place| {
                self.seats
                    .get(&Seat { row, place })
                    .map_or('.', |n| if *n == 1 { 'x' } else { '!' })
            };
            let places: String = (0..SEATS_PER_ROW).map(of).collect();
            writeln!(f, "  row {row}: {places}")?;
        }
        Ok(())
    }
}
