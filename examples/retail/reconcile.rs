//! What the read models must hold, worked out from the file alone.
//!
//! This is the second opinion: it shares no rule, no type and no arithmetic with the code that plays
//! the lines. Money is whole millionths here.

mod ledger;

use std::collections::HashMap;

use csv::StringRecord;

use crate::input::{Input, InputError};
pub use ledger::{Ledger, Mismatch};

/// Goes through the file once. Memory grows with customers and articles, not with lines.
///
/// Also gives the SHA-256 of what was read, to compare with what was played.
pub fn expected(input: &Input) -> Result<(Ledger, String), InputError> {
    let mut tally = Tally::default();
    let mut records = input.records()?;
    let mut record = StringRecord::new();
    while let Some(number) = records.read(&mut record)? {
        if tally.add(number, &record).is_none() {
            // Tells what is wrong with it; the file has changed since it was surveyed.
            records.line(number, &record)?;
            return Err(InputError::Changed { path: input.path().to_owned() });
        }
    }
    Ok((tally.ledger, records.into_sha256()?))
}

#[derive(Default)]
struct Tally {
    ledger: Ledger,
    /// By stock code: sold, less returned.
    left: HashMap<String, i128>,
}

impl Tally {
    /// `None` if a column can't be understood.
    fn add(&mut self, number: u64, record: &StringRecord) -> Option<()> {
        let (invoice, code) = (record.get(0)?, record.get(1)?);
        let quantity: i128 = record.get(3)?.parse().ok()?;
        let amount = quantity * millionths(record.get(5)?)?;
        let customer = match record.get(6)?.split('.').next()? {
            "" => "none",
            number => number,
        };
        let place = format!("{} {}", record.get(4)?.get(..7)?, record.get(7)?);

        let ledger = &mut self.ledger;
        let left = match self.left.get_mut(code) {
            Some(left) => left,
            None => self.left.entry(code.to_owned()).or_default(),
        };
        ledger.lines += 1;
        let credit = invoice.starts_with('C');
        if credit && (quantity >= 0 || -quantity > *left) {
            ledger.rejected += 1;
            ledger.refused.add(&number.to_string(), [quantity, amount]);
            ledger.movement.add(code, [0, 1, 0, 0, 0, 0]);
            // The article is known, if only by lines that were refused.
            ledger.sellers.add(code, [0, 0]);
            return Some(());
        }
        ledger.accepted += 1;
        if credit {
            *left += quantity;
            ledger.customers.add(customer, [1, 0, -amount]);
            ledger.countries.add(&place, [1, 0, -amount, 0]);
            ledger.sellers.add(code, [quantity, amount]);
            ledger.movement.add(code, [1, 0, 0, -quantity, 0, -quantity]);
        } else if invoice.starts_with('A') {
            ledger.customers.add(customer, [1, 0, 0]);
            ledger.countries.add(&place, [1, 0, 0, -amount]);
            ledger.sellers.add(code, [0, 0]);
            ledger.movement.add(code, [1, 0, 0, 0, 0, 0]);
        } else if quantity < 0 {
            ledger.customers.add(customer, [1, 0, 0]);
            ledger.countries.add(&place, [1, 0, 0, 0]);
            ledger.sellers.add(code, [0, 0]);
            ledger.movement.add(code, [1, 0, 0, 0, quantity, quantity]);
        } else {
            *left += quantity;
            ledger.customers.add(customer, [1, amount, 0]);
            ledger.countries.add(&place, [1, amount, 0, 0]);
            ledger.sellers.add(code, [quantity, amount]);
            ledger.movement.add(code, [1, 0, quantity, 0, 0, -quantity]);
        }
        Some(())
    }
}

/// `-2.55` is -2,550,000.
fn millionths(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    if fraction.len() > 6 {
        return None;
    }
    let fraction: i128 = format!("{fraction:0<6}").parse().ok()?;
    Some(sign * (whole * 1_000_000 + fraction))
}

#[cfg(test)]
#[path = "reconcile/tests.rs"]
mod tests;
