//! Events and views to test with.

use foldlog_core::{Fold, Keyed, Keys, Recorded, Row};
use foldlog_derive::{Event, Key, View};
use serde::{Deserialize, Serialize};

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct AccountId(pub(crate) String);

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
pub(crate) enum AccountEvent {
    Deposited {
        cents: i64,
    },
    Withdrawn {
        cents: i64,
    },
    /// Removes the row of the balance.
    Closed,
    /// The text "panic" makes a view panic.
    Noted {
        text: String,
    },
}

/// By stream: every event counts, in its order.
#[derive(View, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "balance", version = 1)]
pub(crate) struct Balance {
    #[key(stream)]
    pub(crate) account: AccountId,
    pub(crate) cents: i64,
    pub(crate) events: i64,
    // Depends on the order, so that a swapped pair shows.
    pub(crate) digest: i64,
}

impl Fold for Balance {
    type Event = AccountEvent;

    fn apply(&mut self, event: &Recorded<AccountEvent>) -> Row {
        match &event.event {
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
            AccountEvent::Closed => return Row::Delete,
            AccountEvent::Noted { text } => assert_ne!(text, "panic", "told to panic"),
        }
        self.events += 1;
        let version = i64::try_from(event.version).unwrap();
        self.digest = self.digest.wrapping_mul(31).wrapping_add(version + self.cents);
        Row::Keep
    }
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "vote", id = String)]
pub(crate) enum VoteEvent {
    /// Adds to each of these rows.
    Cast { rows: Vec<i32>, by: i64 },
}

/// By keys, in 16 classes that meet in few rows. A sum of nought removes its row: whatever the order
/// of the classes, the sums at the end are the same, while rows come and go.
#[derive(View, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "tally", version = 1, classes = 16)]
pub(crate) struct Tally {
    #[key]
    pub(crate) row: i32,
    pub(crate) sum: i64,
}

impl Fold for Tally {
    type Event = VoteEvent;

    fn apply(&mut self, event: &Recorded<VoteEvent>) -> Row {
        let VoteEvent::Cast { by, .. } = &event.event;
        self.sum += by;
        if self.sum == 0 { Row::Delete } else { Row::Keep }
    }
}

impl Keyed for Tally {
    fn keys(event: &Recorded<VoteEvent>) -> Keys<i32> {
        let VoteEvent::Cast { rows, .. } = &event.event;
        Keys::each(rows.iter().copied())
    }
}

pub(crate) fn account(name: &str) -> AccountId {
    AccountId(name.to_owned())
}

pub(crate) fn deposit(cents: i64) -> AccountEvent {
    AccountEvent::Deposited { cents }
}
