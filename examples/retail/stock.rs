//! The stock of an article: what was sold of it, and so what can be returned.

use foldlog::prelude::*;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::invoice::{InvoiceEvent, InvoiceLine};
use crate::line::{Kind, Line};

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StockCode(pub String);

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "stock", id = StockCode)]
pub enum StockEvent {
    Sold(StockLine),
    Returned(StockLine),
    /// Lost, damaged, thrown away: not sold, and so not to be returned.
    Adjusted(StockLine),
    /// A debt that will not be paid; the shop books it as an article of its own.
    WrittenOff(StockLine),
    /// A line that breaks the rule. It is on no invoice.
    Refused {
        line: StockLine,
        reason: Refusal,
    },
}

/// What a line means for the stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockLine {
    pub line: u64,
    pub invoice: String,
    pub description: String,
    /// As the file has it: negative for what is returned or adjusted away.
    pub quantity: i64,
    pub price: Decimal,
}

/// Why a return is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    #[error("nothing is left to return")]
    NothingLeft,
    #[error("more than is left to return")]
    NotEnoughLeft { left: i64 },
    #[error("no quantity is returned")]
    NotAReturn,
}

#[derive(Default, Debug, Aggregate)]
#[aggregate(id = StockCode)]
pub struct Stock {
    /// Sold, less returned.
    returnable: i64,
    /// The last line that was decided on. Lines of a stock code are decided in the order of the
    /// file, so all up to here are in the stream, and a run that was broken off goes on behind it.
    decided: u64,
}

/// Put this line on its invoice.
pub struct Play(pub Line);

impl Decider for Stock {
    type Event = StockEvent;
    // A line that breaks the rule is a fact to keep: an event, not a rejection.
    type Rejection = std::convert::Infallible;

    fn evolve(&mut self, event: &StockEvent) {
        self.decided = event.line().line;
        match event {
            StockEvent::Sold(line) | StockEvent::Returned(line) => self.returnable += line.quantity,
            StockEvent::Adjusted(_) | StockEvent::WrittenOff(_) | StockEvent::Refused { .. } => {}
        }
    }
}

impl Handles<Play> for Stock {
    /// What goes onto the invoice; nothing for a line that is refused.
    type Reply = Option<InvoiceEvent>;

    fn decide(&self, Play(line): &Play, _: &Context<Self>) -> Decided<Self, Play> {
        let (stock, invoice) = (StockLine::of(line), InvoiceLine::of(line));
        Ok(match line.kind() {
            Kind::Sale => (StockEvent::Sold(stock), Some(InvoiceEvent::Sold(invoice))),
            Kind::Adjustment => {
                (StockEvent::Adjusted(stock), Some(InvoiceEvent::Adjusted(invoice)))
            }
            Kind::BadDebt => {
                (StockEvent::WrittenOff(stock), Some(InvoiceEvent::WrittenOff(invoice)))
            }
            Kind::Return => match self.refusal(-line.quantity) {
                None => (StockEvent::Returned(stock), Some(InvoiceEvent::Returned(invoice))),
                Some(reason) => (StockEvent::Refused { line: stock, reason }, None),
            },
        }
        .into())
    }
}

impl Stock {
    /// Whether a line was decided on already, by an earlier run.
    pub fn has_decided(&self, line: u64) -> bool {
        line <= self.decided
    }

    fn refusal(&self, returned: i64) -> Option<Refusal> {
        match self.returnable {
            _ if returned <= 0 => Some(Refusal::NotAReturn),
            left if returned <= left => None,
            left if left <= 0 => Some(Refusal::NothingLeft),
            left => Some(Refusal::NotEnoughLeft { left }),
        }
    }
}

impl StockEvent {
    pub fn line(&self) -> &StockLine {
        match self {
            Self::Sold(line)
            | Self::Returned(line)
            | Self::Adjusted(line)
            | Self::WrittenOff(line)
            | Self::Refused { line, .. } => line,
        }
    }
}

impl StockLine {
    fn of(line: &Line) -> Self {
        Self {
            line: line.number,
            invoice: line.invoice.clone(),
            description: line.description.clone(),
            quantity: line.quantity,
            price: line.price,
        }
    }

    pub fn amount(&self) -> Decimal {
        self.price * Decimal::from(self.quantity)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use foldlog::testing::given;

    use super::*;

    fn line(number: u64, invoice: &str, quantity: &str) -> Line {
        let price = "0.5";
        let columns =
            [invoice, "22423", "CAKESTAND", quantity, "2010-12-01 08:26:00", price, "", "France"];
        Line::read(number, columns).unwrap()
    }

    /// Plays quantities of invoices in turn, and says which lines were refused, and why.
    fn refused(lines: &[(&str, &str)]) -> Vec<(u64, Refusal)> {
        let mut stock = Stock::default();
        let mut refused = Vec::new();
        for (number, (invoice, quantity)) in (2..).zip(lines) {
            let cx = Context::new(StockCode("22423".into()), 0, SystemTime::UNIX_EPOCH);
            let decision = stock.decide(&Play(line(number, invoice, quantity)), &cx).unwrap();
            let (events, on_invoice) = decision.into_parts();
            let [event] = events.as_slice() else { panic!("{events:?}") };
            if let StockEvent::Refused { line, reason } = event {
                refused.push((line.line, *reason));
                assert_eq!(on_invoice, None);
            } else {
                assert_eq!(on_invoice.unwrap().line().line, number);
            }
            stock.evolve(event);
        }
        refused
    }

    #[test]
    fn no_more_comes_back_than_was_sold_and_not_returned() {
        use Refusal::{NotEnoughLeft, NothingLeft};
        let played = refused(&[
            ("C1", "-1"),
            ("2", "5"),
            ("C3", "-6"),
            ("C4", "-3"),
            ("C5", "-3"),
            ("C6", "-2"),
            ("C7", "-1"),
        ]);
        let wanted = [
            (2, NothingLeft),
            (4, NotEnoughLeft { left: 5 }),
            (6, NotEnoughLeft { left: 2 }),
            (8, NothingLeft),
        ];
        assert_eq!(played, wanted);
    }

    #[test]
    fn adjustments_and_bad_debt_do_not_count_as_sold() {
        let played = refused(&[("1", "2"), ("2", "-9"), ("A3", "9"), ("C4", "-2"), ("C5", "-1")]);
        assert_eq!(played, [(6, Refusal::NothingLeft)]);
    }

    #[test]
    fn a_return_of_nothing_is_refused() {
        let played = refused(&[("1", "2"), ("C2", "0"), ("C3", "2")]);
        assert_eq!(played, [(3, Refusal::NotAReturn), (4, Refusal::NotAReturn)]);
    }

    #[test]
    fn what_is_refused_is_kept_with_its_reason_and_stays_off_the_invoice() {
        let (sale, back) = (line(2, "1", "2"), line(3, "C2", "-3"));
        let reason = Refusal::NotEnoughLeft { left: 2 };
        given::<Stock>([StockEvent::Sold(StockLine::of(&sale))])
            .when(Play(back.clone()))
            .emits([StockEvent::Refused { line: StockLine::of(&back), reason }])
            .replies(None);
    }

    #[test]
    fn a_line_is_decided_once() {
        let mut stock = Stock::default();
        assert!(!stock.has_decided(2));
        stock.evolve(&StockEvent::Sold(StockLine::of(&line(7, "1", "1"))));
        assert!(stock.has_decided(2) && stock.has_decided(7) && !stock.has_decided(8));
    }

    #[test]
    fn events_are_stored_under_names_that_stay() {
        let event = StockEvent::Refused {
            line: StockLine::of(&line(7, "C1", "-1")),
            reason: Refusal::NotEnoughLeft { left: 0 },
        };
        let json = r#"{"line":{"line":7,"invoice":"C1","description":"CAKESTAND","quantity":-1,"price":"0.5"},"reason":{"NotEnoughLeft":{"left":0}}}"#;
        let encoded = event.encode().unwrap();
        assert_eq!((encoded.kind, encoded.payload.get()), ("Refused", json));
    }
}
