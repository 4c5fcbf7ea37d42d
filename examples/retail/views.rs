//! The read models.

use foldlog::prelude::*;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::invoice::InvoiceEvent;
use crate::stock::{StockCode, StockEvent};

/// Stands for the customer of a line that names none.
pub const NOBODY: &str = "none";

/// What a customer bought and brought back.
#[derive(View, Debug, Serialize, Deserialize)]
#[view(name = "revenue_by_customer", version = 1)]
pub struct CustomerRevenue {
    #[key]
    pub customer: String,
    pub lines: i64,
    pub sold: Decimal,
    pub returned: Decimal,
}

impl Fold for CustomerRevenue {
    type Event = InvoiceEvent;

    fn apply(&mut self, e: &Recorded<InvoiceEvent>) -> Row {
        self.lines += 1;
        match &e.event {
            InvoiceEvent::Sold(line) => self.sold += line.amount,
            InvoiceEvent::Returned(line) => self.returned -= line.amount,
            InvoiceEvent::Adjusted(_) | InvoiceEvent::WrittenOff(_) => {}
        }
        Row::Keep
    }
}

impl Keyed for CustomerRevenue {
    fn keys(e: &Recorded<InvoiceEvent>) -> Keys<String> {
        Keys::one(e.event.line().customer.clone().unwrap_or_else(|| NOBODY.to_owned()))
    }
}

/// What was sold into a country in a month.
#[derive(View, Debug, Serialize, Deserialize)]
#[view(name = "revenue_by_country_and_month", version = 1)]
pub struct CountryRevenue {
    #[key]
    pub country: String,
    #[key]
    pub month: String,
    pub lines: i64,
    pub sold: Decimal,
    pub returned: Decimal,
    pub written_off: Decimal,
}

impl Fold for CountryRevenue {
    type Event = InvoiceEvent;

    fn apply(&mut self, e: &Recorded<InvoiceEvent>) -> Row {
        self.lines += 1;
        match &e.event {
            InvoiceEvent::Sold(line) => self.sold += line.amount,
            InvoiceEvent::Returned(line) => self.returned -= line.amount,
            InvoiceEvent::WrittenOff(line) => self.written_off -= line.amount,
            InvoiceEvent::Adjusted(_) => {}
        }
        Row::Keep
    }
}

impl Keyed for CountryRevenue {
    fn keys(e: &Recorded<InvoiceEvent>) -> Keys<(String, String)> {
        let line = e.event.line();
        Keys::one((line.country.clone(), line.month.clone()))
    }
}

/// How well an article sells.
#[derive(View, Debug, Serialize, Deserialize)]
#[view(name = "best_sellers", version = 1)]
pub struct BestSeller {
    #[key(stream)]
    pub code: StockCode,
    /// As the last sale called it.
    pub description: String,
    /// Sold, less returned.
    pub quantity: i64,
    pub revenue: Decimal,
}

impl Fold for BestSeller {
    type Event = StockEvent;

    fn apply(&mut self, e: &Recorded<StockEvent>) -> Row {
        if let StockEvent::Sold(line) | StockEvent::Returned(line) = &e.event {
            self.quantity += line.quantity;
            self.revenue += line.amount();
            if !line.description.is_empty() {
                self.description.clone_from(&line.description);
            }
        }
        Row::Keep
    }
}

/// What went out of the stock, what came back, and what else became of it.
#[derive(View, Debug, Serialize, Deserialize)]
#[view(name = "stock_movement", version = 1)]
pub struct StockMovement {
    #[key(stream)]
    pub code: StockCode,
    pub accepted: i64,
    pub refused: i64,
    pub sold: i64,
    pub returned: i64,
    pub adjusted: i64,
    /// What the stock gained; what it lost, if negative.
    pub net: i64,
}

impl Fold for StockMovement {
    type Event = StockEvent;

    fn apply(&mut self, e: &Recorded<StockEvent>) -> Row {
        match &e.event {
            StockEvent::Refused { .. } => self.refused += 1,
            _ => self.accepted += 1,
        }
        match &e.event {
            StockEvent::Sold(line) => {
                self.sold += line.quantity;
                self.net -= line.quantity;
            }
            StockEvent::Returned(line) => {
                self.returned -= line.quantity;
                self.net -= line.quantity;
            }
            StockEvent::Adjusted(line) => {
                self.adjusted += line.quantity;
                self.net += line.quantity;
            }
            StockEvent::WrittenOff(_) | StockEvent::Refused { .. } => {}
        }
        Row::Keep
    }
}

/// A line that broke the rule.
#[derive(View, Debug, Serialize, Deserialize)]
#[view(name = "refused_lines", version = 1)]
pub struct RefusedLine {
    #[key]
    pub line: i64,
    pub invoice: String,
    pub code: String,
    pub description: String,
    pub quantity: i64,
    pub amount: Decimal,
    pub reason: String,
}

impl Fold for RefusedLine {
    type Event = StockEvent;

    fn apply(&mut self, e: &Recorded<StockEvent>) -> Row {
        if let StockEvent::Refused { line, reason } = &e.event {
            self.invoice.clone_from(&line.invoice);
            self.code.clone_from(&e.stream.0);
            self.description.clone_from(&line.description);
            self.quantity = line.quantity;
            self.amount = line.amount();
            self.reason = reason.to_string();
        }
        Row::Keep
    }
}

impl Keyed for RefusedLine {
    fn keys(e: &Recorded<StockEvent>) -> Keys<i64> {
        match &e.event {
            StockEvent::Refused { line, .. } => i64::try_from(line.line).ok().into(),
            _ => Keys::none(),
        }
    }
}
