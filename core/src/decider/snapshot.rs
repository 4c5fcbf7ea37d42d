//! When snapshots of an aggregate are taken, and which ones it can go on from.

use std::fmt;
use std::marker::PhantomData;

use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::decider::Decider;
use crate::given::Tree;

/// A state that can be stored as a snapshot: serde writes and reads it, and its schema is known.
/// Nobody implements it by hand.
#[diagnostic::on_unimplemented(
    message = "a state of `{Self}` can't be stored as a snapshot",
    label = "asks for snapshots",
    note = "derive `serde::Serialize`, `serde::Deserialize` and `schemars::JsonSchema` on `{Self}`, and \
            on what is in it"
)]
pub trait SnapshotState: Decider + Serialize + DeserializeOwned + JsonSchema {}

#[diagnostic::do_not_recommend]
impl<A: Decider + Serialize + DeserializeOwned + JsonSchema> SnapshotState for A {}

/// When snapshots of an aggregate are taken, and how they are written and read.
/// `#[aggregate(id = …, snapshot_every = 100)]` makes one.
///
/// A snapshot belongs to the schema of the state that was written, as its
/// [`schema_hash`](Self::schema_hash) says. That does not know what `evolve` does: whoever changes what
/// it makes of an event that is stored already must raise the `snapshot_version`, or the states of old
/// snapshots live on.
pub struct SnapshotRule<A> {
    every: u64,
    aggregate: &'static str,
    schema_hash: [u8; 32],
    write: fn(&A) -> serde_json::Result<String>,
    read: fn(&str) -> serde_json::Result<A>,
    aggregate_type: PhantomData<fn() -> A>,
}

impl<A> SnapshotRule<A> {
    /// A rule for the aggregate of this name, which is part of the hash as the version is: a snapshot
    /// whenever there are so many events behind the last one.
    #[must_use]
    pub fn new(aggregate: &'static str, every: u64, version: u32) -> Self
    where
        A: SnapshotState,
    {
        Self {
            every: every.max(1),
            aggregate,
            schema_hash: schema_hash::<A>(aggregate, version),
            write: |state| serde_json::to_string(state),
            read: |json| serde_json::from_str(json),
            aggregate_type: PhantomData,
        }
    }

    /// How many events are behind a snapshot when the next one is taken.
    #[must_use]
    pub fn every(&self) -> u64 {
        self.every
    }

    /// The name of the aggregate.
    #[must_use]
    pub fn aggregate(&self) -> &'static str {
        self.aggregate
    }

    /// What tells snapshots of this schema from any other: SHA-256 over the aggregate's name, the
    /// version of its snapshots and the JSON Schema of its state, without the words in it that are for
    /// people.
    #[must_use]
    pub fn schema_hash(&self) -> &[u8; 32] {
        &self.schema_hash
    }

    /// A state as it is stored.
    ///
    /// # Errors
    ///
    /// Those of serde.
    pub fn write(&self, state: &A) -> Result<String, serde_json::Error> {
        (self.write)(state)
    }

    /// A state that was stored.
    ///
    /// # Errors
    ///
    /// Those of serde, which may hold parts of the state.
    pub fn read(&self, json: &str) -> Result<A, serde_json::Error> {
        (self.read)(json)
    }

    /// Whether what was written is read as a state that is written the same again. It is not where a
    /// number is none, or a float comes back as its neighbour. A field that serde leaves out on both
    /// ways is not seen.
    ///
    /// Lists may come in any order: those of a `HashSet` do.
    #[must_use]
    pub fn reads_back(&self, json: &str) -> bool {
        let tree = |json: &str| Tree::read(json).map(Tree::unordered);
        let again = (self.read)(json).and_then(|state| (self.write)(&state));
        again.and_then(|again| Ok(again == json || tree(&again)? == tree(json)?)).unwrap_or(false)
    }
}

impl<A> fmt::Debug for SnapshotRule<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotRule")
            .field("aggregate", &self.aggregate)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

fn schema_hash<A: JsonSchema>(aggregate: &str, version: u32) -> [u8; 32] {
    let mut schema = schemars::schema_for!(A);
    // A comment that was mended changes no state.
    let mut mute = RecursiveTransform(|schema: &mut Schema| {
        for words in ["title", "description", "examples"] {
            schema.remove(words);
        }
    });
    mute.transform(&mut schema);
    let mut hash = Sha256::new();
    // The first two end before the next begins: neither can pass for a part of it.
    hash.update(format!("foldlog snapshot 1\n{}\n{aggregate}\n{version}\n", aggregate.len()));
    // Fields in one order: how a schema's own are kept is for a feature of serde_json to say.
    let schema = schema.as_value().to_string();
    hash.update(Tree::read(&schema).map_or(schema, |tree| tree.to_string()));
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::convert::Infallible;

    use serde::Deserialize;

    use super::*;
    use crate::given::bank::AccountEvent;

    macro_rules! state {
        ($(#[$meta:meta])* $name:ident $($fields:tt)*) => {
            $(#[$meta])*
            #[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
            struct $name $($fields)*
            impl Decider for $name {
                type Event = AccountEvent;
                type Rejection = Infallible;
                fn evolve(&mut self, _: &AccountEvent) {}
            }
        };
    }

    state!(Plain { cents: i64, tags: Vec<String> });
    state!(
        /// With words.
        Described {
            /// Of the currency.
            cents: i64,
            /// Any.
            tags: Vec<String>,
        }
    );
    state!(Wider { cents: i64, tags: Vec<String>, more: Option<u8> });
    state!(Weighed { grams: f64, of: HashSet<u32> });

    fn hash<A: SnapshotState>(aggregate: &'static str, version: u32) -> [u8; 32] {
        *SnapshotRule::<A>::new(aggregate, 1, version).schema_hash()
    }

    #[test]
    fn a_schema_has_one_hash_and_another_schema_name_or_version_another() {
        let plain = hash::<Plain>("account", 0);
        assert_eq!(plain, hash::<Plain>("account", 0));
        assert_eq!(plain, hash::<Described>("account", 0), "words are no schema");
        let others =
            [hash::<Wider>("account", 0), hash::<Plain>("limits", 0), hash::<Plain>("account", 1)];
        assert_eq!(HashSet::from(others).len(), 3);
        assert!(!others.contains(&plain));
    }

    #[test]
    fn a_hash_stays_what_it_is() {
        // Of a version of schemars: if it changes, every stored snapshot is taken anew.
        let hash = hash::<Plain>("account", 0);
        let hex = hash.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(hex, "e80f29ffe75e3c0be867bcea3c728cc30d4a11e47f94e1d430ee9b9ed89bd22b");
    }

    #[test]
    fn what_is_not_read_back_as_it_was_written_is_seen() {
        let rule = SnapshotRule::<Weighed>::new("weighed", 1, 0);
        let state = Weighed { grams: 0.1, of: (0..100).collect() };
        assert!(rule.reads_back(&rule.write(&state).unwrap()));
        let state = Weighed { grams: f64::NAN, of: HashSet::new() };
        assert!(!rule.reads_back(&rule.write(&state).unwrap()));
        assert!(!rule.reads_back("{}"));
        assert!(!rule.reads_back(r#"{"grams":1.50,"of":[]}"#), "not what it would have written");
    }
}
