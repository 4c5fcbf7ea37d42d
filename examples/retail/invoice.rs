//! An invoice: the lines that were put on it.

use foldlog::prelude::*;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::line::Line;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InvoiceNumber(pub String);

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "invoice", id = InvoiceNumber)]
pub enum InvoiceEvent {
    Sold(InvoiceLine),
    Returned(InvoiceLine),
    Adjusted(InvoiceLine),
    WrittenOff(InvoiceLine),
}

/// What a line means for the invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvoiceLine {
    pub line: u64,
    pub code: String,
    pub quantity: i64,
    pub amount: Decimal,
    pub customer: Option<String>,
    pub country: String,
    /// `2010-12`.
    pub month: String,
}

impl InvoiceEvent {
    pub fn line(&self) -> &InvoiceLine {
        match self {
            Self::Sold(line)
            | Self::Returned(line)
            | Self::Adjusted(line)
            | Self::WrittenOff(line) => line,
        }
    }
}

impl InvoiceLine {
    pub fn of(line: &Line) -> Self {
        Self {
            line: line.number,
            code: line.code.clone(),
            quantity: line.quantity,
            amount: line.amount(),
            customer: line.customer.clone(),
            country: line.country.clone(),
            month: line.month().to_owned(),
        }
    }
}
