//! The totals of all read models, to be compared number by number.

use std::collections::HashMap;
use std::fmt;

/// All that is to be equal: counts of lines, and a sheet for each view.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub lines: i128,
    pub accepted: i128,
    pub rejected: i128,
    pub customers: Sheet<3>,
    pub countries: Sheet<4>,
    pub sellers: Sheet<2>,
    pub movement: Sheet<6>,
    pub refused: Sheet<2>,
}

/// The totals of one view by the key of its rows. Money in millionths.
#[derive(Clone, Debug)]
pub struct Sheet<const N: usize> {
    view: &'static str,
    columns: [Column; N],
    rows: HashMap<String, [i128; N]>,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    name: &'static str,
    money: bool,
}

/// A number that differs. A row that is missing has no number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    pub place: String,
    pub found: Option<String>,
    pub expected: Option<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            lines: 0,
            accepted: 0,
            rejected: 0,
            customers: Sheet::new("revenue_by_customer", ["lines", "$sold", "$returned"]),
            countries: Sheet::new(
                "revenue_by_country_and_month",
                ["lines", "$sold", "$returned", "$written_off"],
            ),
            sellers: Sheet::new("best_sellers", ["quantity", "$revenue"]),
            movement: Sheet::new(
                "stock_movement",
                ["accepted", "refused", "sold", "returned", "adjusted", "net"],
            ),
            refused: Sheet::new("refused_lines", ["quantity", "$amount"]),
        }
    }
}

impl Ledger {
    /// Every number of the read models that is not as expected.
    pub fn differences(&self, expected: &Self) -> Vec<Mismatch> {
        let mut found = Vec::new();
        for (name, is, should) in [
            ("lines", self.lines, expected.lines),
            ("accepted lines", self.accepted, expected.accepted),
            ("refused lines", self.rejected, expected.rejected),
            ("accepted and refused lines", self.accepted + self.rejected, expected.lines),
        ] {
            if is != should {
                let (place, found_text) = (name.to_owned(), Some(is.to_string()));
                let expected = Some(should.to_string());
                found.push(Mismatch { place, found: found_text, expected });
            }
        }
        self.customers.compare(&expected.customers, &mut found);
        self.countries.compare(&expected.countries, &mut found);
        self.sellers.compare(&expected.sellers, &mut found);
        self.movement.compare(&expected.movement, &mut found);
        self.refused.compare(&expected.refused, &mut found);
        found.sort();
        found
    }
}

impl<const N: usize> Sheet<N> {
    /// A `$` before its name marks a column of money.
    fn new(view: &'static str, columns: [&'static str; N]) -> Self {
        let columns = columns.map(|name| match name.strip_prefix('$') {
            Some(name) => Column { name, money: true },
            None => Column { name, money: false },
        });
        Self { view, columns, rows: HashMap::new() }
    }

    /// Adds to the row of a key, which is there from then on.
    pub fn add(&mut self, key: &str, numbers: [i128; N]) {
        if let Some(row) = self.rows.get_mut(key) {
            row.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        } else {
            self.rows.insert(key.to_owned(), numbers);
        }
    }

    /// How many numbers there are to compare.
    pub fn numbers(&self) -> usize {
        self.rows.len() * N
    }

    fn compare(&self, expected: &Self, into: &mut Vec<Mismatch>) {
        for (key, should) in &expected.rows {
            let is = self.rows.get(key);
            if is == Some(should) {
                continue;
            }
            for (place, (column, number)) in self.columns.iter().zip(should).enumerate() {
                let found = is.and_then(|row| row.get(place));
                if found != Some(number) {
                    let found = found.map(|number| column.text(*number));
                    let place = format!("{}, {key}, {}", self.view, column.name);
                    into.push(Mismatch { place, found, expected: Some(column.text(*number)) });
                }
            }
        }
        for (key, row) in self.rows.iter().filter(|(key, _)| !expected.rows.contains_key(*key)) {
            for (column, number) in self.columns.iter().zip(row) {
                let place = format!("{}, {key}, {}", self.view, column.name);
                let found = Some(column.text(*number));
                into.push(Mismatch { place, found, expected: None });
            }
        }
    }
}

impl Column {
    fn text(&self, number: i128) -> String {
        if !self.money {
            return number.to_string();
        }
        let sign = if number < 0 { "-" } else { "" };
        let number = number.unsigned_abs();
        let text = format!("{sign}{}.{:06}", number / 1_000_000, number % 1_000_000);
        // At least two decimals, as prices are written; more where they count.
        let spare = text.len() - text.trim_end_matches('0').len();
        text.get(..text.len() - spare.min(4)).unwrap_or(&text).to_owned()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |number: &Option<String>| number.clone().unwrap_or_else(|| "no row".to_owned());
        let (found, expected) = (text(&self.found), text(&self.expected));
        write!(f, "{}: the read model says {found}, the file says {expected}", self.place)
    }
}
