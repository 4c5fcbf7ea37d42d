//! Lines of invoices, as the example `retail` reads them.

use rust_decimal::Decimal;

use crate::input::text;

#[path = "../../../../examples/retail/line.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "it is used where it is from")]
mod line;

use line::{Kind, Line};

/// Eight columns, parted by `|`.
pub(super) fn check(data: &[u8]) {
    let text = text(data);
    let mut parts = text.splitn(8, '|');
    let columns: [&str; 8] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    match Line::read(2, columns) {
        Ok(line) => {
            assert!((-10_000_000..=10_000_000).contains(&line.quantity));
            assert!(line.price.abs() < Decimal::from(100_000_000) && line.price.scale() <= 6);
            // Sums are exact.
            let amount = line.amount();
            assert!(line.quantity == 0 || amount / Decimal::from(line.quantity) == line.price);
            assert_eq!(line.month(), &line.at[..7]);
            assert!(
                line.customer.as_deref().is_none_or(|customer| customer.parse::<u64>().is_ok())
            );
            assert_eq!(line.kind() == Kind::Return, line.invoice.starts_with('C'));
            assert_eq!(line.command_id("c186"), line.command_id("c186"));
        }
        Err((column, found, wanted)) => {
            assert!(columns.contains(&found));
            assert!(!column.is_empty() && !wanted.is_empty());
        }
    }
}
