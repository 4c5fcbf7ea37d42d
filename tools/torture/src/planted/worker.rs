//! A worker by hand, which does one projection as many do theirs: each way is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use foldlog_core::{Error, Filter, Position, RawEvent, Reader, SliceClass, Source as _};
use foldlog_eventstore::EventStore;
use foldlog_pg::database;
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::bug::Bug;
use crate::domain::{bucket, signed, told, unsigned};
use crate::worker::LEASE;

const CLASSES: u16 = 4;
const PAGE_EVENTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(5);

/// The projection that a bug is planted in, if it is a worker's.
#[must_use]
pub fn projection(bug: Bug) -> Option<&'static str> {
    match bug {
        Bug::CheckpointOutside | Bug::FenceIgnored => Some("scribe"),
        Bug::FoldOutside => Some("bucket"),
        _ => None,
    }
}

/// Works on a class of the projection until told to stop, in as many lives as it takes.
pub async fn run(bug: Bug, store: EventStore, remainder: u16, stop: CancellationToken) {
    let Some(class) = SliceClass::new(CLASSES, remainder) else { return };
    let worker = PlantedWorker { bug, store, class };
    while !stop.is_cancelled() {
        if let Some(Err(error)) = stop.run_until_cancelled(worker.session()).await {
            eprintln!("planted worker: {error}");
        }
        let _stopped = stop.run_until_cancelled(sleep(PAUSE * 20)).await;
    }
}

struct PlantedWorker {
    bug: Bug,
    store: EventStore,
    class: SliceClass,
}

struct Session {
    conn: PgConnection,
    reader: Box<dyn Reader>,
    epoch: i64,
    position: i64,
}

impl PlantedWorker {
    async fn session(&self) -> Result<(), Error> {
        let mut conn = self.store.db().session("torture planted").await?;
        let owner = format!("planted-{}", std::process::id());
        let Some((epoch, position)) = self.claim(&mut conn, &owner).await? else { return Ok(()) };
        let reader = self.store.reader().await?;
        let mut session = Session { conn, reader, epoch, position };
        let filter = Filter::all().categories(&["account"] as &'static [&'static str]);
        let filter = filter.class(self.class);
        loop {
            if !self.renew(&mut session).await? && self.bug != Bug::FenceIgnored {
                return Ok(());
            }
            let place = Position::new(unsigned(session.position));
            let page = session.reader.page(&filter, place, PAGE_EVENTS).await?;
            if page.through == place {
                sleep(PAUSE).await;
                continue;
            }
            let through = signed(page.through.get());
            if !self.apply(&mut session, &page.events, through).await? {
                return Ok(());
            }
            session.position = through;
        }
    }

    async fn claim(
        &self,
        conn: &mut PgConnection,
        owner: &str,
    ) -> Result<Option<(i64, i64)>, Error> {
        let failed = |e| database("claim", e);
        let row = sqlx::query(include_str!("../../sql/planted/class_claim.sql"))
            .bind(projection(self.bug))
            .bind(i32::from(self.class.remainder()))
            .bind(owner)
            .bind(LEASE.as_secs_f64())
            .fetch_optional(conn)
            .await
            .map_err(failed)?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose().map_err(failed)
    }

    async fn renew(&self, session: &mut Session) -> Result<bool, Error> {
        let renewed = sqlx::query(include_str!("../../sql/planted/class_renew.sql"))
            .bind(projection(self.bug))
            .bind(i32::from(self.class.remainder()))
            .bind(session.epoch)
            .bind(LEASE.as_secs_f64())
            .execute(&mut session.conn)
            .await
            .map_err(|e| database("renew", e))?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Whether the class is still ours.
    async fn apply(
        &self,
        session: &mut Session,
        events: &[RawEvent],
        through: i64,
    ) -> Result<bool, Error> {
        let failed = |e| database("apply", e);
        let (epoch, old) = (session.epoch, session.position);
        if self.bug == Bug::CheckpointOutside {
            let mut tx = session.conn.begin().await.map_err(failed)?;
            self.write(&mut tx, events).await.map_err(failed)?;
            tx.commit().await.map_err(failed)?;
            // As long as it takes on a busy day: many die here.
            sleep(PAUSE * 20).await;
            return self.advance(&mut session.conn, epoch, old, through).await.map_err(failed);
        }
        let loaded = match self.bug {
            Bug::FoldOutside => load(&mut session.conn).await.map_err(failed)?,
            _ => BTreeMap::new(),
        };
        let mut tx = session.conn.begin().await.map_err(failed)?;
        match self.bug {
            Bug::FoldOutside => fold(&mut tx, loaded, events).await.map_err(failed)?,
            _ => self.write(&mut tx, events).await.map_err(failed)?,
        }
        let ours = self.advance(&mut tx, epoch, old, through).await.map_err(failed)?;
        if ours {
            tx.commit().await.map_err(failed)?;
        }
        Ok(ours)
    }

    async fn write(&self, conn: &mut PgConnection, events: &[RawEvent]) -> Result<(), sqlx::Error> {
        let marks = events.iter().filter_map(told).map(|told| signed(told.mark));
        sqlx::query(include_str!("../../sql/effect_insert.sql"))
            .bind(marks.collect::<Vec<_>>())
            .bind(events.iter().map(|e| e.stream.as_str()).collect::<Vec<_>>())
            .bind(events.iter().map(|e| signed(e.version)).collect::<Vec<_>>())
            .bind(events.iter().map(|e| signed(e.position().get())).collect::<Vec<_>>())
            .execute(conn)
            .await
            .map(drop)
    }

    async fn advance(
        &self,
        conn: &mut PgConnection,
        epoch: i64,
        old: i64,
        through: i64,
    ) -> Result<bool, sqlx::Error> {
        let statement = match self.bug {
            Bug::FenceIgnored => include_str!("../../sql/planted/class_advance_unfenced.sql"),
            _ => include_str!("../../sql/planted/class_advance.sql"),
        };
        let advanced = sqlx::query(statement)
            .bind(projection(self.bug))
            .bind(i32::from(self.class.remainder()))
            .bind(epoch)
            .bind(old)
            .bind(through)
            .execute(conn)
            .await?;
        Ok(advanced.rows_affected() == 1)
    }
}

type Rows = BTreeMap<String, (i64, i64)>;

async fn load(conn: &mut PgConnection) -> Result<Rows, sqlx::Error> {
    let rows =
        sqlx::query(include_str!("../../sql/planted/bucket_read.sql")).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)))).collect()
}

async fn fold(
    conn: &mut PgConnection,
    mut rows: Rows,
    events: &[RawEvent],
) -> Result<(), sqlx::Error> {
    let mut touched = Rows::new();
    for told in events.iter().filter_map(told) {
        let key = bucket(told.mark);
        let row = rows.entry(key.clone()).or_default();
        *row = (row.0 + told.cents, row.1 + 1);
        touched.insert(key, *row);
    }
    sqlx::query(include_str!("../../sql/planted/bucket_save.sql"))
        .bind(touched.keys().cloned().collect::<Vec<_>>())
        .bind(touched.values().map(|row| row.0).collect::<Vec<_>>())
        .bind(touched.values().map(|row| row.1).collect::<Vec<_>>())
        .execute(conn)
        .await
        .map(drop)
}
