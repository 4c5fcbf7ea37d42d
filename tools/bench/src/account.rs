//! What is measured on: accounts, an event of 200 bytes, a command and a balance.

use foldlog::prelude::*;
use serde::{Deserialize, Serialize};

/// Pads the payload to 200 bytes.
const NOTE_BYTES: usize = 175;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId(pub i64);

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
pub enum AccountEvent {
    Deposited { cents: i64, note: String },
}

impl AccountEvent {
    /// The event that this version of this account has, in every store and on both sides.
    pub fn of(account: i64, version: u64) -> Self {
        Self::Deposited { cents: cents(account, version), note: "x".repeat(NOTE_BYTES) }
    }

    pub fn cents(&self) -> i64 {
        let Self::Deposited { cents, .. } = self;
        *cents
    }
}

/// Always five digits, so that every payload is of one length. `fill_event.sql` writes the same.
pub fn cents(account: i64, version: u64) -> i64 {
    let version = i64::try_from(version).unwrap_or(0);
    10_000 + (account * 7_919 + version * 104_729).rem_euclid(90_000)
}

/// The payload of an event as it is stored.
pub fn payload(account: i64, version: u64) -> Result<String, foldlog::Error> {
    Ok(foldlog::Event::encode(&AccountEvent::of(account, version))?.payload.get().to_owned())
}

#[derive(Clone, Debug, Default, Aggregate)]
#[aggregate(id = AccountId)]
pub struct Account {
    cents: i64,
}

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = std::convert::Infallible;

    fn evolve(&mut self, event: &AccountEvent) {
        self.cents += event.cents();
    }
}

/// Answers the balance.
pub struct Deposit;

impl Handles<Deposit> for Account {
    type Reply = i64;

    fn decide(&self, _: &Deposit, cx: &Context<Self>) -> Decided<Self, Deposit> {
        let event = AccountEvent::of(cx.id().0, cx.version() + 1);
        let balance = self.cents + event.cents();
        Ok((event, balance).into())
    }
}

#[derive(Debug, Serialize, Deserialize, View)]
#[view(name = "balance", version = 1)]
pub struct Balance {
    #[key(stream)]
    pub account: AccountId,
    pub cents: i64,
    pub events: i64,
}

impl Fold for Balance {
    type Event = AccountEvent;

    fn apply(&mut self, event: &Recorded<AccountEvent>) -> Row {
        self.cents += event.event.cents();
        self.events += 1;
        Row::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_has_200_bytes() {
        for (account, version) in [(0, 1), (7, 12), (1_000_000, 3), (i64::from(u32::MAX), 99_999)] {
            assert_eq!(payload(account, version).unwrap().len(), 200, "{account} {version}");
        }
    }
}
