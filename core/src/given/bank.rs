//! What the tests of the kit are made of: an account that is modelled well, and what is not.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::decider::{Context, Decided, Decider, Decision, Handles};
use crate::error::{Error, ErrorKind};
use crate::event::{Encoded, Event, EventSet, RawEvent};
use crate::key::Key;
use crate::metadata::Metadata;
use crate::stream::StreamName;
use crate::tagged;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

// What `#[derive(Event)]` writes; core can't use it.
impl EventSet for AccountEvent {
    type Stream = String;
    const CATEGORIES: &'static [&'static str] = &["account"];
    fn decode(raw: &RawEvent) -> Result<Self, Error> {
        tagged::decode(raw)
    }
    fn stream(name: &StreamName) -> Result<String, Error> {
        let fault = || Error::new(ErrorKind::Decode, format!("{name} is no account"));
        name.id::<Self>().ok_or_else(fault)
    }
}

impl Event for AccountEvent {
    type Id = String;
    const CATEGORY: &'static str = "account";
    fn kinds() -> Result<&'static [&'static str], Error> {
        tagged::kinds::<Self>()
    }
    fn encode(&self) -> Result<Encoded, Error> {
        tagged::encode(self)
    }
}

pub(super) fn opened() -> AccountEvent {
    AccountEvent::Opened { owner: "Ada".into() }
}

pub(super) fn deposited(cents: i64) -> AccountEvent {
    AccountEvent::Deposited { cents }
}

pub(super) fn withdrawn(cents: i64) -> AccountEvent {
    AccountEvent::Withdrawn { cents }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) owner: Option<String>,
    pub(super) cents: i64,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refused {
    #[error("{by} cents short")]
    Short { by: i64 },
    #[error("closed")]
    Closed,
}

impl Decider for Account {
    type Event = AccountEvent;
    type Rejection = Refused;

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened { owner } => self.owner = Some(owner.clone()),
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
        }
    }
}

/// Answers what is left; withdrawing nothing does nothing.
pub(super) struct Withdraw {
    pub(super) cents: i64,
}

impl Handles<Withdraw> for Account {
    type Reply = i64;

    fn decide(&self, command: &Withdraw, _: &Context<Self>) -> Decided<Self, Withdraw> {
        let left = self.cents - command.cents;
        match command.cents {
            0 => Ok(Decision::none().reply(left)),
            _ if self.owner.is_none() => Err(Refused::Closed),
            _ if left < 0 => Err(Refused::Short { by: -left }),
            cents => Ok((withdrawn(cents), left).into()),
        }
    }
}

/// Answers what the context says.
pub(super) struct Look;

impl Handles<Look> for Account {
    type Reply = (String, u64, std::time::SystemTime);

    fn decide(&self, _: &Look, cx: &Context<Self>) -> Decided<Self, Look> {
        Ok(Decision::none().reply((cx.id().clone(), cx.version(), cx.now())))
    }
}

/// Answers what it was sent with.
pub(super) struct Ask;

impl Handles<Ask> for Account {
    type Reply = (Option<Uuid>, Metadata);

    fn decide(&self, _: &Ask, cx: &Context<Self>) -> Decided<Self, Ask> {
        Ok(Decision::none().reply((cx.command_id(), cx.metadata().clone())))
    }
}

/// Names its depots by the sky; no sample text is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct North;

impl Key for North {
    fn to_key(&self) -> Cow<'_, str> {
        Cow::Borrowed("north")
    }
    fn from_key(key: &str) -> Option<Self> {
        (key == "north").then_some(Self)
    }
}

/// Two that are stored well; of each other one something is lost or wrong.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Parcel {
    Weighed {
        grams: u128,
    },
    Sent,
    Noted {
        #[serde(skip)]
        grams: u128,
    },
    Scaled {
        tenths: Tenths,
    },
    Measured {
        metres: f64,
    },
    Lost,
    Turned,
}

impl EventSet for Parcel {
    type Stream = North;
    const CATEGORIES: &'static [&'static str] = &["parcel"];
    fn decode(raw: &RawEvent) -> Result<Self, Error> {
        match &*raw.kind {
            "Lost" => Err(Error::new(ErrorKind::Decode, "it was lost")),
            "Turned" => Ok(Self::Sent),
            _ => tagged::decode(raw),
        }
    }
    fn stream(name: &StreamName) -> Result<North, Error> {
        name.id::<Self>().ok_or_else(|| Error::new(ErrorKind::Decode, format!("where is {name}?")))
    }
}

impl Event for Parcel {
    type Id = North;
    const CATEGORY: &'static str = "parcel";
    fn kinds() -> Result<&'static [&'static str], Error> {
        tagged::kinds::<Self>()
    }
    fn encode(&self) -> Result<Encoded, Error> {
        tagged::encode(self)
    }
}

/// Written in another unit than it is read.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Tenths(pub(super) i64);

impl Serialize for Tenths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0 * 10)
    }
}

/// Sends what it is told to send.
#[derive(Debug, Default)]
pub(super) struct Depot {
    pub(super) grams: u128,
}

impl Decider for Depot {
    type Event = Parcel;
    type Rejection = std::convert::Infallible;

    fn evolve(&mut self, event: &Parcel) {
        if let Parcel::Weighed { grams } | Parcel::Noted { grams } = event {
            self.grams += grams;
        }
    }
}

/// Builds an event each time it is decided, for a parcel can't be copied.
pub(super) struct Send(pub(super) fn() -> Parcel);

impl Handles<Send> for Depot {
    type Reply = ();

    fn decide(&self, command: &Send, _: &Context<Self>) -> Decided<Self, Send> {
        Ok((command.0)().into())
    }
}

/// A state whose snapshots lack something: how much was deposited.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Forgetful {
    #[serde(skip)]
    deposited: i64,
    /// The highest sum of deposits at a withdrawal.
    highest: i64,
}

impl Decider for Forgetful {
    type Event = AccountEvent;
    type Rejection = Refused;

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened { .. } => {}
            AccountEvent::Deposited { cents } => self.deposited += cents,
            AccountEvent::Withdrawn { .. } => self.highest = self.highest.max(self.deposited),
        }
    }
}

impl Handles<Withdraw> for Forgetful {
    type Reply = ();

    fn decide(&self, command: &Withdraw, _: &Context<Self>) -> Decided<Self, Withdraw> {
        match command.cents - self.deposited {
            by @ 1.. => Err(Refused::Short { by }),
            _ => Ok(withdrawn(command.cents).into()),
        }
    }
}

/// What a test says when it fails.
pub(super) fn failure<T>(test: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(test)) {
        Ok(_) => panic!("it passed"),
        Err(panic) => match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
        },
    }
}
