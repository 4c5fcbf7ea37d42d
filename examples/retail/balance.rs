//! The rows of the read models as the totals that the reconciliation compares.

use rust_decimal::Decimal;

use crate::reconcile::Ledger;
use crate::views::{BestSeller, CountryRevenue, CustomerRevenue, RefusedLine, StockMovement};

/// A row that has a place in the ledger.
pub trait Entry {
    fn enter(&self, ledger: &mut Ledger);
}

impl Entry for CustomerRevenue {
    fn enter(&self, ledger: &mut Ledger) {
        let numbers = [self.lines.into(), millionths(self.sold), millionths(self.returned)];
        ledger.customers.add(&self.customer, numbers);
    }
}

impl Entry for CountryRevenue {
    fn enter(&self, ledger: &mut Ledger) {
        let [sold, returned, written_off] =
            [self.sold, self.returned, self.written_off].map(millionths);
        let numbers = [self.lines.into(), sold, returned, written_off];
        ledger.countries.add(&format!("{} {}", self.month, self.country), numbers);
    }
}

impl Entry for BestSeller {
    fn enter(&self, ledger: &mut Ledger) {
        ledger.sellers.add(&self.code.0, [self.quantity.into(), millionths(self.revenue)]);
    }
}

impl Entry for StockMovement {
    fn enter(&self, ledger: &mut Ledger) {
        let numbers =
            [self.accepted, self.refused, self.sold, self.returned, self.adjusted, self.net];
        ledger.movement.add(&self.code.0, numbers.map(i128::from));
        ledger.accepted += i128::from(self.accepted);
        ledger.rejected += i128::from(self.refused);
        ledger.lines += i128::from(self.accepted + self.refused);
    }
}

impl Entry for RefusedLine {
    fn enter(&self, ledger: &mut Ledger) {
        let numbers = [self.quantity.into(), millionths(self.amount)];
        ledger.refused.add(&self.line.to_string(), numbers);
    }
}

/// Prices have at most six decimals, so this loses nothing.
fn millionths(money: Decimal) -> i128 {
    let money = money.normalize();
    money.mantissa() * 10_i128.pow(6_u32.saturating_sub(money.scale()))
}
