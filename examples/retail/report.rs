//! What a run comes to, for people and for programs.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::models::Models;
use crate::progress::grouped;
use crate::reconcile::{Ledger, Mismatch};
use crate::table::Table;

/// How many rows a table of the best shows.
const BEST: usize = 10;
/// Countries with a column of their own.
const COUNTRIES: usize = 4;
/// More mismatches than this are counted, not listed.
const MISMATCHES: usize = 20;

/// The last line of `--json`.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub lines: i128,
    pub accepted: i128,
    pub rejected: i128,
    pub events: i64,
    pub events_per_s: u64,
    pub mismatches: usize,
    pub rss_mb: u64,
}

pub fn tables(models: &Models, list_refused: bool) -> Vec<Table> {
    let mut tables = vec![
        customers(models),
        countries(models),
        sellers(models),
        movement(models),
        reasons(models),
    ];
    if list_refused {
        tables.push(refused(models));
    }
    tables
}

fn customers(models: &Models) -> Table {
    let head = ["customer", "lines", "sold", "returned", "revenue"];
    let mut table = Table::new("Revenue by customer, the highest ten", 1, &head);
    let mut best: Vec<_> = models.customers.iter().collect();
    best.sort_by_key(|row| std::cmp::Reverse(row.sold - row.returned));
    for row in best.into_iter().take(BEST) {
        let revenue = row.sold - row.returned;
        table.row([
            row.customer.clone(),
            signed(row.lines),
            money(row.sold),
            money(row.returned),
            money(revenue),
        ]);
    }
    table
}

fn countries(models: &Models) -> Table {
    let mut totals: BTreeMap<&str, Decimal> = BTreeMap::new();
    let mut months: BTreeMap<&str, BTreeMap<&str, Decimal>> = BTreeMap::new();
    for row in &models.countries {
        let revenue = row.sold - row.returned;
        *totals.entry(&row.country).or_default() += revenue;
        *months.entry(&row.month).or_default().entry(&row.country).or_default() += revenue;
    }
    let mut best: Vec<_> = totals.into_iter().collect();
    best.sort_by_key(|(_, revenue)| std::cmp::Reverse(*revenue));
    let best: Vec<&str> = best.into_iter().map(|(country, _)| country).take(COUNTRIES).collect();
    let head: Vec<&str> =
        ["month"].into_iter().chain(best.clone()).chain(["others", "all"]).collect();
    let mut table = Table::new("Revenue by month and country", 1, &head);
    for (month, countries) in months {
        let all: Decimal = countries.values().sum();
        let own: Vec<Decimal> = best
            .iter()
            .map(|&country| countries.get(country).copied().unwrap_or_default())
            .collect();
        let others = all - own.iter().sum::<Decimal>();
        let numbers = own.into_iter().chain([others, all]).map(money);
        table.row([month.to_owned()].into_iter().chain(numbers));
    }
    table
}

fn sellers(models: &Models) -> Table {
    let head = ["code", "description", "quantity", "revenue"];
    let mut table = Table::new("Best sellers, the highest ten by revenue", 2, &head);
    for row in models.sellers.iter().take(BEST) {
        table.row([
            row.code.0.clone(),
            row.description.clone(),
            signed(row.quantity),
            money(row.revenue),
        ]);
    }
    table
}

fn movement(models: &Models) -> Table {
    let head = ["code", "sold", "returned", "adjusted", "net"];
    let mut table = Table::new("Net movement of stock, the ten that lost most", 1, &head);
    for row in models.movement.iter().take(BEST) {
        let numbers = [row.sold, row.returned, row.adjusted, row.net].map(signed);
        table.row([row.code.0.clone()].into_iter().chain(numbers));
    }
    table
}

fn reasons(models: &Models) -> Table {
    let mut table = Table::new("Refused lines by reason", 1, &["reason", "lines", "quantity"]);
    let mut reasons: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for row in &models.refused {
        let (lines, quantity) = reasons.entry(&row.reason).or_default();
        *lines += 1;
        *quantity += row.quantity;
    }
    for (reason, (lines, quantity)) in reasons {
        table.row([reason.to_owned(), signed(lines), signed(quantity)]);
    }
    table
}

fn refused(models: &Models) -> Table {
    let head = ["reason", "code", "description", "invoice", "line", "quantity", "amount"];
    let mut table = Table::new("Refused lines", 4, &head);
    for row in &models.refused {
        table.row([
            row.reason.clone(),
            row.code.clone(),
            row.description.clone(),
            row.invoice.clone(),
            row.line.to_string(),
            signed(row.quantity),
            money(row.amount),
        ]);
    }
    table
}

/// What was compared with the file, and what came of it.
pub fn reconciliation(expected: &Ledger, mismatches: &[Mismatch]) -> String {
    let numbers = expected.customers.numbers()
        + expected.countries.numbers()
        + expected.sellers.numbers()
        + expected.movement.numbers()
        + expected.refused.numbers();
    let mut text = format!(
        "The file has {} lines: {} to accept, {} to refuse. ",
        expected.lines, expected.accepted, expected.rejected
    );
    if mismatches.is_empty() {
        text.push_str(&format!(
            "Reconciled: all {} numbers of the read models are what the file says, to the last \
             decimal.",
            grouped(numbers as u64)
        ));
        return text;
    }
    text.push_str(&format!("NOT reconciled: {} numbers differ.", mismatches.len()));
    for mismatch in mismatches.iter().take(MISMATCHES) {
        text.push_str(&format!("\n  {mismatch}"));
    }
    if mismatches.len() > MISMATCHES {
        text.push_str(&format!("\n  and {} more", mismatches.len() - MISMATCHES));
    }
    text
}

/// The most memory this process ever used, where the system tells; else 0.
pub fn rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = peak.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0).div_ceil(1024)
}

fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// To the penny; the read model has it exact.
fn money(amount: Decimal) -> String {
    let text = format!("{:.2}", amount.abs());
    let (whole, pence) = text.split_once('.').unwrap_or((&text, "00"));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    format!("{}{whole}.{pence}", if amount < Decimal::ZERO { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_and_keeps_its_sign() {
        for (amount, text) in [
            ("0", "0.00"),
            ("-0.5", "-0.50"),
            ("1234567.891", "1,234,567.89"),
            ("-11062.06", "-11,062.06"),
        ] {
            assert_eq!(money(amount.parse().unwrap()), text);
        }
    }

    #[test]
    fn the_summary_has_the_names_that_were_promised() {
        let summary = Summary {
            lines: 3,
            accepted: 2,
            rejected: 1,
            events: 5,
            events_per_s: 7,
            mismatches: 0,
            rss_mb: 9,
        };
        let json = r#"{"lines":3,"accepted":2,"rejected":1,"events":5,"events_per_s":7,"mismatches":0,"rss_mb":9}"#;
        assert_eq!(serde_json::to_string(&summary).unwrap(), json);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_of_memory_is_known() {
        assert!(rss_mb() > 0);
    }
}
