//! What is appended and what is folded from it. Money moves between accounts, so that a lost, doubled
//! or torn append shows in sums; every event carries a mark, so that it is recognised anywhere.

pub mod account;

use foldlog::prelude::*;
use foldlog_core::{Error, RawEvent};
use foldlog_projections::Registered;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId(pub String);

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(category = "account", id = AccountId)]
pub enum AccountEvent {
    Moved {
        mark: u64,
        cents: i64,
        note: String,
    },
    // What decisions rest on is tagged, and of one of three types.
    Booked {
        mark: u64,
        cents: i64,
        note: String,
        #[tag]
        seats: Vec<SeatId>,
        #[tag]
        hall: Option<HallId>,
    },
    Released {
        mark: u64,
        cents: i64,
        note: String,
        #[tag]
        seats: Vec<SeatId>,
        #[tag]
        hall: Option<HallId>,
    },
    Closed {
        mark: u64,
        cents: i64,
        note: String,
        #[tag]
        seats: Vec<SeatId>,
        #[tag]
        hall: Option<HallId>,
    },
}

/// Hot ones and cold ones.
#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "seat")]
pub struct SeatId(pub String);

/// A few, so that they are the second of several tags.
#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[key(tag = "hall")]
pub struct HallId(pub String);

impl AccountEvent {
    #[must_use]
    pub fn moved(mark: u64, cents: i64) -> Self {
        Self::Moved { mark, cents, note: note(mark) }
    }

    /// An event of a kind that has tags, by its name.
    ///
    /// # Panics
    ///
    /// If there is no such kind.
    #[must_use]
    pub fn tagged(kind: &str, mark: u64, cents: i64, tags: &[String]) -> Self {
        let named = |name| tags.iter().filter_map(move |tag| tag.strip_prefix(name));
        let seats = named("seat:").map(|id| SeatId(id.to_owned())).collect();
        let hall = named("hall:").map(|id| HallId(id.to_owned())).next();
        let note = note(mark);
        match kind {
            "Booked" => Self::Booked { mark, cents, note, seats, hall },
            "Released" => Self::Released { mark, cents, note, seats, hall },
            "Closed" => Self::Closed { mark, cents, note, seats, hall },
            _ => panic!("no kind of event has tags and is named {kind}"),
        }
    }

    /// What every event says: its mark, cents and note.
    fn movement(&self) -> (u64, i64, &str) {
        let (Self::Moved { mark, cents, note }
        | Self::Booked { mark, cents, note, .. }
        | Self::Released { mark, cents, note, .. }
        | Self::Closed { mark, cents, note, .. }) = self;
        (*mark, *cents, note)
    }
}

/// Texts that are easily damaged on the way, and one that is compressed and stored out of line.
const NOTES: [&str; 8] = [
    "",
    "plain",
    "quotes \" and ' and \\ and \\u0000 and \\n",
    "tab\tnewline\nreturn\rbell\u{7}",
    "äöü ß 東京 🦀 \u{200d} \u{feff}",
    "\u{2028}\u{2029}</script>",
    "9007199254740993 1e400 -0 NaN",
    "$$ -- /* ; */ %s {0} ${x}",
];
const LONG_NOTE_BYTES: usize = 4_000;

/// The note of a mark: the same for every repetition.
#[must_use]
pub fn note(mark: u64) -> String {
    let which = usize::try_from(mark % 64).unwrap_or(0);
    match NOTES.get(which) {
        Some(note) => (*note).to_owned(),
        None if which == 63 => "long ".repeat(LONG_NOTE_BYTES / 5),
        None => format!("moved in {mark}"),
    }
}

/// What a stored event says, and whether it says it byte for byte as it was appended.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub mark: u64,
    pub cents: i64,
    pub intact: bool,
}

/// Reads an event; `None` if it can't be read at all.
#[must_use]
pub fn told(raw: &RawEvent) -> Option<Told> {
    let event: Recorded<AccountEvent> = raw.typed().ok()?;
    let (mark, cents, stored) = event.event.movement();
    let again = event.event.encode().ok()?;
    let intact = stored == note(mark)
        && again.payload.get() == raw.payload.get()
        && again.kind == &*raw.kind;
    Some(Told { mark, cents, intact })
}

/// By stream: each row is the fold of one account.
#[derive(View, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "balance", version = 1, classes = 4)]
pub struct Balance {
    #[key(stream)]
    pub account: AccountId,
    pub cents: i64,
    pub events: i64,
}

impl Fold for Balance {
    type Event = AccountEvent;

    fn apply(&mut self, event: &Recorded<AccountEvent>) -> Row {
        self.cents += event.event.movement().1;
        self.events += 1;
        Row::Keep
    }
}

/// How many rows the classes of `bucket` meet in.
pub const BUCKETS: u64 = 7;

/// By keys: four classes meet in few rows.
#[derive(View, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[view(name = "bucket", version = 1, classes = 4)]
pub struct Bucket {
    #[key]
    pub bucket: String,
    pub cents: i64,
    pub events: i64,
}

impl Fold for Bucket {
    type Event = AccountEvent;

    fn apply(&mut self, event: &Recorded<AccountEvent>) -> Row {
        self.cents += event.event.movement().1;
        self.events += 1;
        Row::Keep
    }
}

impl Keyed for Bucket {
    fn keys(event: &Recorded<AccountEvent>) -> Keys<String> {
        Keys::one(bucket(event.event.movement().0))
    }
}

/// The row of a mark.
#[must_use]
pub fn bucket(mark: u64) -> String {
    format!("b{}", mark % BUCKETS)
}

/// Writes each event down, with nothing that would refuse a second one, and refuses those that are
/// listed as poison.
#[derive(Clone)]
pub struct Scribe;

impl Projection for Scribe {
    const NAME: &'static str = "scribe";
    const CLASSES: u16 = 4;
    type Event = AccountEvent;

    async fn apply(
        &mut self,
        conn: &mut PgConnection,
        batch: &Batch<AccountEvent>,
    ) -> Result<(), BoxError> {
        let marks: Vec<i64> = batch.iter().map(|e| signed(mark(&e.event))).collect();
        let poison: Option<i64> = sqlx::query_scalar(include_str!("../sql/poison_find.sql"))
            .bind(&marks)
            .fetch_optional(&mut *conn)
            .await?;
        if let Some(mark) = poison {
            // Every second one by a panic.
            assert!((mark / 256) % 2 == 0, "mark {mark} is poison");
            return Err(format!("mark {mark} is poison").into());
        }
        sqlx::query(include_str!("../sql/effect_insert.sql"))
            .bind(&marks)
            .bind(batch.iter().map(|e| e.name.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|e| signed(e.version)).collect::<Vec<_>>())
            .bind(batch.iter().map(|e| signed(e.token.position().get())).collect::<Vec<_>>())
            .execute(conn)
            .await?;
        Ok(())
    }
}

fn mark(event: &AccountEvent) -> u64 {
    event.movement().0
}

/// What the workers work on.
///
/// # Errors
///
/// None, for these definitions.
pub fn registered() -> Result<Vec<Registered>, Error> {
    Ok(vec![
        Registered::view::<Balance>()?,
        Registered::view::<Bucket>()?,
        Registered::projection(Scribe)?,
    ])
}

/// As PostgreSQL counts.
#[must_use]
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As we count: nothing stored is negative.
#[must_use]
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
