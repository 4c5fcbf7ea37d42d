//! Checkpoints: stored progress, claimed by one worker at a time and fenced by an epoch.

use foldlog_core::{Error, Position, SliceClass};
use foldlog_pg::database;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::stage::Failure;

/// A version of a projection, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) name: &'static str,
    pub(crate) version: i32,
}

/// A slice class that this process has claimed.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) name: Name,
    pub(crate) class: SliceClass,
    pub(crate) epoch: i64,
    /// Where the checkpoint stands, as far as this claim has moved it.
    pub(crate) position: Position,
    /// How often the class was claimed without progress, this time included.
    pub(crate) attempts: i32,
}

/// Who claims, and for how long at a time.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) id: String,
    pub(crate) lease_s: f64,
}

impl Claim {
    /// Claims free classes, at most `limit`.
    pub(crate) async fn take(
        conn: &mut PgConnection,
        name: Name,
        owner: &Owner,
        limit: i64,
        stopped_too: bool,
    ) -> Result<Vec<Self>, Error> {
        let what = || format!("claim slice classes of {}", name.name);
        let rows = sqlx::query(include_str!("../sql/checkpoint_claim.sql"))
            .bind(name.name)
            .bind(name.version)
            .bind(&owner.id)
            .bind(owner.lease_s)
            .bind(limit)
            .bind(stopped_too)
            .fetch_all(conn)
            .await
            .map_err(|e| database(what(), e))?;
        let mut claims = Vec::with_capacity(rows.len());
        for row in &rows {
            let read = || {
                let position: i64 = row.try_get("position")?;
                Ok((class_of(row)?, row.try_get("epoch")?, position, row.try_get("attempts")?))
            };
            let (class, epoch, position, attempts) = read().map_err(|e| database(what(), e))?;
            claims.extend(class.map(|class| Self {
                name,
                class,
                epoch,
                position: Position::new(u64::try_from(position).unwrap_or(0)),
                attempts,
            }));
        }
        Ok(claims)
    }

    /// Reads where the checkpoint stands. A commit whose answer was lost may have moved it.
    pub(crate) async fn refresh(&mut self, conn: &mut PgConnection) -> Result<(), Failure> {
        let position: Option<i64> =
            sqlx::query_scalar(include_str!("../sql/checkpoint_position.sql"))
                .bind(self.name.name)
                .bind(self.name.version)
                .bind(signed_u16(self.class.modulus()))
                .bind(signed_u16(self.class.remainder()))
                .bind(self.epoch)
                .fetch_optional(conn)
                .await
                .map_err(|e| database("read a checkpoint", e))?;
        let position = position.ok_or(Failure::Fenced)?;
        self.position = Position::new(u64::try_from(position).unwrap_or(0));
        Ok(())
    }

    /// Moves the checkpoint, as the last statement of the transaction.
    pub(crate) async fn commit(
        &self,
        conn: &mut PgConnection,
        to: Position,
    ) -> Result<(), Failure> {
        let done = sqlx::query(include_str!("../sql/checkpoint_commit.sql"))
            .bind(self.name.name)
            .bind(self.name.version)
            .bind(signed_u16(self.class.modulus()))
            .bind(signed_u16(self.class.remainder()))
            .bind(signed(self.position))
            .bind(self.epoch)
            .bind(signed(to))
            .execute(conn)
            .await
            .map_err(|e| database("move a checkpoint", e))?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Failure::Fenced) }
    }

    /// Lets go of the class; `stopped` says where it stopped for good, and why.
    pub(crate) async fn release(
        &self,
        conn: &mut PgConnection,
        stopped: Option<(Position, &str)>,
    ) -> Result<(), Error> {
        sqlx::query(include_str!("../sql/checkpoint_release.sql"))
            .bind(self.name.name)
            .bind(self.name.version)
            .bind(signed_u16(self.class.modulus()))
            .bind(signed_u16(self.class.remainder()))
            .bind(self.epoch)
            .bind(stopped.map(|(position, _)| signed(position)))
            .bind(stopped.map(|(_, why)| why))
            .execute(conn)
            .await
            .map_err(|e| database("release a slice class", e))?;
        Ok(())
    }
}

/// A class with the epoch under which this process works on it.
pub(crate) type Held = (Name, SliceClass, i64);

/// Prolongs the leases of what a process works on; answers with what it still owns of it.
pub(crate) async fn renew(
    conn: &mut PgConnection,
    owner: &Owner,
    held: &[Held],
) -> Result<Vec<Held>, Error> {
    let what = "renew leases";
    let each = || held.iter();
    let rows = sqlx::query(include_str!("../sql/checkpoint_renew.sql"))
        .bind(&owner.id)
        .bind(owner.lease_s)
        .bind(each().map(|(name, ..)| name.name).collect::<Vec<_>>())
        .bind(each().map(|(name, ..)| name.version).collect::<Vec<_>>())
        .bind(each().map(|(_, class, _)| signed_u16(class.modulus())).collect::<Vec<_>>())
        .bind(each().map(|(_, class, _)| signed_u16(class.remainder())).collect::<Vec<_>>())
        .bind(each().map(|(.., epoch)| *epoch).collect::<Vec<_>>())
        .fetch_all(conn)
        .await
        .map_err(|e| database(what, e))?;
    let mut owned = Vec::with_capacity(rows.len());
    for row in &rows {
        let read = || Ok((row.try_get(0)?, row.try_get(1)?, class_of(row)?, row.try_get("epoch")?));
        let (name, version, class, epoch): (String, i32, Option<SliceClass>, i64) =
            read().map_err(|e| database(what, e))?;
        owned.extend(held.iter().filter(|(held_name, held_class, held_epoch)| {
            held_name.name == name
                && held_name.version == version
                && Some(*held_class) == class
                && *held_epoch == epoch
        }));
    }
    Ok(owned)
}

/// Lets go of whatever a process still owns.
pub(crate) async fn release_all(conn: &mut PgConnection, owner: &str) -> Result<(), Error> {
    sqlx::query(include_str!("../sql/checkpoint_release_all.sql"))
        .bind(owner)
        .execute(conn)
        .await
        .map_err(|e| database("release slice classes", e))?;
    Ok(())
}

/// How one slice class of a projection stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// The projection.
    pub projection: String,
    /// Its version.
    pub version: u32,
    /// The slice class.
    pub class: SliceClass,
    /// Everything of the class up to here is in the read model.
    pub position: Position,
    /// Which process claimed it, if one holds an unexpired lease.
    pub owner: Option<String>,
    /// Where it stopped for good, and why.
    pub stopped: Option<(Position, String)>,
}

/// How the slice classes of a projection stand, or of all that are live.
pub(crate) async fn statuses(
    conn: &mut PgConnection,
    projection: Option<&str>,
) -> Result<Vec<Status>, Error> {
    let what = "read checkpoints";
    let rows = sqlx::query(include_str!("../sql/checkpoint_read.sql"))
        .bind(projection)
        .fetch_all(conn)
        .await
        .map_err(|e| database(what, e))?;
    let mut statuses = Vec::with_capacity(rows.len());
    for row in &rows {
        statuses.extend(status(row).map_err(|e| database(what, e))?);
    }
    Ok(statuses)
}

fn status(row: &PgRow) -> Result<Option<Status>, sqlx::Error> {
    let Some(class) = class_of(row)? else { return Ok(None) };
    let version: i32 = row.try_get("version")?;
    let position: i64 = row.try_get("position")?;
    let owned: bool = row.try_get("owned")?;
    let owner: Option<String> = row.try_get("owner")?;
    let stopped_at: Option<i64> = row.try_get("stopped_at")?;
    let stopped_error: Option<String> = row.try_get("stopped_error")?;
    let place = |position: i64| Position::new(u64::try_from(position).unwrap_or(0));
    Ok(Some(Status {
        projection: row.try_get("projection")?,
        version: u32::try_from(version).unwrap_or(0),
        class,
        position: place(position),
        owner: owner.filter(|_| owned),
        stopped: stopped_at.map(|at| (place(at), stopped_error.unwrap_or_default())),
    }))
}

fn class_of(row: &PgRow) -> Result<Option<SliceClass>, sqlx::Error> {
    let modulus: i16 = row.try_get("modulus")?;
    let remainder: i16 = row.try_get("remainder")?;
    // The table's own checks say the same, so there is always one.
    Ok(SliceClass::new(modulus.unsigned_abs(), remainder.unsigned_abs()))
}

pub(crate) fn signed(position: Position) -> i64 {
    i64::try_from(position.get()).unwrap_or(i64::MAX)
}

pub(crate) fn signed_u16(value: u16) -> i16 {
    i16::try_from(value).unwrap_or(i16::MAX)
}
