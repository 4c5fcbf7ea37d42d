//! What the rows of a view have to be.

use std::collections::BTreeMap;

/// By row key: cents, and how many events.
pub(super) type Rows = BTreeMap<String, (i64, u64)>;

pub(super) const BALANCE: &str = "balance";
pub(super) const BUCKET: &str = "bucket";

/// How many rows `bucket` has.
pub(super) const BUCKETS: usize = 7;

/// The sums of all rows of `bucket`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Buckets([(i64, u64); BUCKETS]);

impl Buckets {
    pub(super) fn add(&mut self, mark: u64, cents: i64) {
        let place = usize::try_from(mark % BUCKETS as u64).unwrap_or_default();
        if let Some(row) = self.0.get_mut(place) {
            *row = (row.0.wrapping_add(cents), row.1 + 1);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (row, more) in self.0.iter_mut().zip(other.0) {
            *row = (row.0.wrapping_add(more.0), row.1 + more.1);
        }
    }

    pub(super) fn rows(&self) -> Rows {
        let keyed = self.0.iter().enumerate().map(|(place, row)| (format!("b{place}"), *row));
        keyed.collect()
    }
}

/// A row that is not what it has to be. One that is missing counts as one of nothing.
pub(super) struct Difference {
    pub(super) key: String,
    expected: (i64, u64),
    row: (i64, u64),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, expected, row } = self;
        write!(
            f,
            "row {key}: {} cents of {} events, expected {} cents of {} events",
            row.0, row.1, expected.0, expected.1
        )
    }
}

pub(super) fn differences(rows: &Rows, expected: &Rows) -> Vec<Difference> {
    let keys = rows.keys().chain(expected.keys().filter(|key| !rows.contains_key(*key)));
    let both = keys.map(|key| {
        let row = |rows: &Rows| rows.get(key).copied().unwrap_or_default();
        Difference { key: key.clone(), expected: row(expected), row: row(rows) }
    });
    both.filter(|difference| difference.expected != difference.row).collect()
}
