//! Migrations: foldlog's own schema, with its own history, apart from the application's.

use std::collections::BTreeMap;

use foldlog_core::{Error, ErrorKind};
use foldlog_migrations::{Migration, Set};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, Row};

use crate::Db;
use crate::sqlstate::database;

/// Brings foldlog's schema up to date.
///
/// Several processes may do so at once: the first does the work, the others wait for it. A schema
/// that is merely newer than this program is accepted.
#[derive(Debug)]
pub struct Migrator<'a> {
    db: &'a Db,
    sets: Vec<Set>,
    event_segment_width: Option<u64>,
}

impl<'a> Migrator<'a> {
    /// A migrator of these sets, in this order.
    #[must_use]
    pub fn new(db: &'a Db, sets: &[Set]) -> Self {
        Self { db, sets: sets.to_vec(), event_segment_width: None }
    }

    /// How many positions a segment of the event store spans. It counts only when the store is
    /// created, and can't be changed later; the default is 2^26.
    #[must_use]
    pub fn event_segment_width(mut self, width: u64) -> Self {
        self.event_segment_width = Some(width);
        self
    }

    /// Runs what is missing, each migration in a transaction of its own.
    ///
    /// Dropping the future leaves whole migrations applied and the rest for the next run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setup`] if a migration was changed after it ran, if the schema no longer
    /// supports this program, or if the role may not create it; those of the database.
    pub async fn run(self) -> Result<(), Error> {
        let mut conn = self.db.session("foldlog migrate").await?;
        if self.pending(&mut conn).await?.is_empty() {
            return close(conn).await;
        }
        while self.step(&mut conn).await? {}
        close(conn).await
    }

    /// Checks the schema without changing it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run); and [`ErrorKind::Setup`] if a migration is missing.
    pub async fn check(self) -> Result<(), Error> {
        let mut conn = self.db.session("foldlog migrate").await?;
        let pending = self.pending(&mut conn).await?;
        close(conn).await?;
        match pending.first() {
            None => Ok(()),
            Some((set, number, migration)) => Err(Error::new(
                ErrorKind::Setup,
                format!(
                    "foldlog's schema lacks migration {} {number} ({}): run the migrations, by \
                     starting an App or a Migrator with a role that owns schema foldlog",
                    set.name, migration.name
                ),
            )),
        }
    }

    /// Applies the first pending migration, if there is one.
    async fn step(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let mut tx = conn.begin().await.map_err(|e| database("begin a migration", e))?;
        sqlx::query(include_str!("../sql/migration_lock.sql"))
            .execute(&mut *tx)
            .await
            .map_err(|e| database("wait for another migrator", e))?;
        let pending = self.pending(&mut tx).await?;
        let Some((set, number, migration)) = pending.first() else {
            tx.rollback().await.map_err(|e| database("end a migration", e))?;
            return Ok(false);
        };
        let what = || format!("run migration {} {number} ({})", set.name, migration.name);
        sqlx::raw_sql(include_str!("../sql/migration_history_create.sql"))
            .execute(&mut *tx)
            .await
            .map_err(|e| database("create the schema foldlog", e))?;
        if let Some(width) = self.event_segment_width {
            sqlx::query(include_str!("../sql/setting_local_set.sql"))
                .bind("foldlog.event_segment_width")
                .bind(width.to_string())
                .execute(&mut *tx)
                .await
                .map_err(|e| database(what(), e))?;
        }
        sqlx::raw_sql(migration.sql).execute(&mut *tx).await.map_err(|e| database(what(), e))?;
        sqlx::query(include_str!("../sql/migration_record.sql"))
            .bind(set.name)
            .bind(number)
            .bind(migration.name)
            .bind(checksum(migration))
            .bind(i32::try_from(migration.floor).unwrap_or(i32::MAX))
            .execute(&mut *tx)
            .await
            .map_err(|e| database(what(), e))?;
        tx.commit().await.map_err(|e| database(what(), e))?;
        Ok(true)
    }

    /// The migrations that are still to run, after checking those that did.
    async fn pending(
        &self,
        conn: &mut PgConnection,
    ) -> Result<Vec<(Set, i32, &'static Migration)>, Error> {
        let applied = history(conn).await?;
        let mut pending = Vec::new();
        for set in &self.sets {
            for (number, migration) in (1_i32..).zip(set.migrations) {
                match applied.get(&(set.name.to_owned(), number)) {
                    None => pending.push((*set, number, migration)),
                    Some(done) => done.check(set, number, migration)?,
                }
            }
            check_floor(set, &applied)?;
        }
        Ok(pending)
    }
}

/// Makes foldlog's roles, if they are missing, and grants them whatever of foldlog is installed in this
/// database: `foldlog_reader`, `foldlog_writer`, `foldlog_projector` and `foldlog_operator`, for you to
/// grant to the roles that log in.
///
/// Roles belong to the whole cluster: the role that runs this needs the right to create them, unless they
/// are there, and must own the schema. Run it again after each migration; what is granted stays so.
///
/// # Errors
///
/// [`ErrorKind::Setup`] if the role may not, or the migrations have not run; those of the database.
pub async fn migrate_roles(db: &Db) -> Result<(), Error> {
    let what = "grant foldlog's roles their privileges";
    Migrator::new(db, &[foldlog_migrations::ROLES]).run().await?;
    let mut conn = db.session("foldlog roles").await?;
    sqlx::query(include_str!("../sql/role_grant.sql"))
        .execute(&mut conn)
        .await
        .map_err(|e| database(what, e))?;
    close(conn).await
}

type History = BTreeMap<(String, i32), Applied>;

struct Applied {
    checksum: Vec<u8>,
    floor: i32,
}

impl Applied {
    fn check(&self, set: &Set, number: i32, migration: &Migration) -> Result<(), Error> {
        if self.checksum == checksum(migration) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Setup,
            format!(
                "migration {} {number} ({}) of this program is not the one that this database ran: \
                 their checksums differ. Use the foldlog release that created the schema, or a \
                 later one; never edit a migration that has run",
                set.name, migration.name
            ),
        ))
    }
}

fn check_floor(set: &Set, applied: &History) -> Result<(), Error> {
    let known = i32::try_from(set.migrations.len()).unwrap_or(i32::MAX);
    let floor = applied
        .iter()
        .filter(|((name, _), _)| name == set.name)
        .map(|(_, done)| done.floor)
        .max()
        .unwrap_or(0);
    if floor <= known {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Setup,
        format!(
            "foldlog's schema ({}) has been migrated past what this program supports: it needs a \
             program that knows {floor} migrations, this one knows {known}. Deploy a newer release",
            set.name
        ),
    ))
}

async fn history(conn: &mut PgConnection) -> Result<History, Error> {
    let what = "read the history of migrations";
    let exists: bool = sqlx::query_scalar(include_str!("../sql/migration_history_exists.sql"))
        .fetch_one(&mut *conn)
        .await
        .map_err(|e| database(what, e))?;
    if !exists {
        return Ok(History::new());
    }
    let rows = sqlx::query(include_str!("../sql/migration_history_read.sql"))
        .fetch_all(&mut *conn)
        .await
        .map_err(|e| database(what, e))?;
    rows.iter()
        .map(|row| {
            let key = (row.try_get("set_name")?, row.try_get("number")?);
            Ok((key, Applied { checksum: row.try_get("checksum")?, floor: row.try_get("floor")? }))
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(|e| database(what, e))
}

fn checksum(migration: &Migration) -> Vec<u8> {
    Sha256::digest(migration.sql).to_vec()
}

async fn close(conn: PgConnection) -> Result<(), Error> {
    conn.close().await.map_err(|e| database("close the migrator's connection", e))
}
