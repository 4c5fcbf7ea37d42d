//! The tables and functions of foldlog, as SQL: plain files in sets, so that they ship inside the
//! package and can be read, printed and reviewed as SQL.
//!
//! A set is a part of foldlog that can be installed by itself. Within a set, migrations are numbered
//! from 1 without gaps, and never change once they are released.

/// A part of foldlog's schema, with its migrations in order.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// The name, as the history table knows it.
    pub name: &'static str,
    /// The migrations; the first is number 1.
    pub migrations: &'static [Migration],
}

/// One step of a set.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The name of the file, without number and extension.
    pub name: &'static str,
    /// The statements; they run in one transaction.
    pub sql: &'static str,
    /// Programs must know at least this many migrations of the set to go on working after this one.
    /// 0 as long as it only adds; a step that drops what older programs call raises it.
    pub floor: u32,
}

macro_rules! migrations {
    ($set:literal: $($number:literal $name:literal),+ $(,)?) => {
        Set {
            name: $set,
            migrations: &[$(Migration {
                name: $name,
                sql: include_str!(concat!("../", $set, "/", $number, "_", $name, ".sql")),
                floor: 0,
            }),+],
        }
    };
}

/// The store, its logs, settled positions and segments. Every other set needs it.
pub const BASE: Set = migrations!("base":
    "0001" "store", "0002" "settled", "0003" "segment", "0004" "segment_care");

/// Streams, events, receipts.
pub const EVENTSTORE: Set = migrations!("eventstore":
    "0001" "event", "0002" "slice", "0003" "append", "0004" "append_parts", "0005" "read",
    "0006" "list", "0007" "tag", "0008" "mark", "0009" "retention", "0010" "import",
    "0011" "snapshot");

/// Projections and their checkpoints.
pub const PROJECTIONS: Set = migrations!("projections": "0001" "checkpoint");

/// Roles of the whole cluster, and what each may do in this database. Optional: it needs the right to
/// create roles, and no other set needs it.
pub const ROLES: Set = migrations!("roles": "0001" "role");
