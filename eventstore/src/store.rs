//! The event store, opened.

use std::sync::{Arc, Mutex, PoisonError};

use foldlog_core::{
    Error, ErrorKind, Event, EventSet, Position, StoreId, StreamName, Tenant, Token,
};
use foldlog_migrations::Set;
use foldlog_pg::segment::{self, SegmentState};
use foldlog_pg::{Db, database, settled};
use serde_json::value::RawValue;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::event_type::EventTypes;
use crate::group::Group;
use crate::names::StreamNames;
use crate::request::Request;
use crate::wake::Wake;

/// Streams of events in one database. A handle: clones share everything.
#[derive(Clone, Debug)]
pub struct EventStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    id: StoreId,
    types: EventTypes,
    names: StreamNames,
    // Streams that a transaction of a user's could not take into a new segment.
    untouched: Mutex<Vec<StreamName>>,
    wake: Wake,
    group: Group,
}

/// What is kept of a request that was made under an id.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// What the id stood for.
    pub content_hash: Vec<u8>,
    /// The versions of its streams after it, in its order.
    pub versions: Vec<u64>,
    /// A view read `at_least` this token holds it.
    pub token: Token,
    /// The reply that was kept.
    pub reply: Option<Box<RawValue>>,
}

impl Receipt {
    /// Whether it was left by a request that [stood for](crate::Request::stands_for) the same.
    #[must_use]
    pub fn stands_for(&self, meaning: &str) -> bool {
        self.content_hash == crate::request::meaning_hash(meaning)
    }
}

impl EventStore {
    /// The migrations the store needs.
    pub const SETS: [Set; 2] = [foldlog_migrations::BASE, foldlog_migrations::EVENTSTORE];

    /// Opens the store of a database that was migrated.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setup`] if the migrations have not run, or if the sequence of positions was
    /// reset or changed; those of the database.
    pub async fn open(db: &Db) -> Result<Self, Error> {
        let mut conn = db.session("foldlog open").await?;
        let id = settled::store(&mut conn).await?;
        settled::check(&mut conn, settled::EVENT_LOG).await?;
        let types = EventTypes::default();
        types.refresh(&mut conn, true).await?;
        sqlx::Connection::close(conn).await.map_err(|e| database("open the event store", e))?;
        let (untouched, wake) = (Mutex::default(), Wake::new());
        let (names, group) = (StreamNames::default(), Group::default());
        Ok(Self(Arc::new(Inner { db: db.clone(), id, types, names, untouched, wake, group })))
    }

    /// Makes the event types of `E` known, so that no append has to.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if `E` is no enum in serde's default form; those of the database.
    pub async fn register<E: Event>(&self) -> Result<(), Error> {
        let mut conn = self.acquire().await?;
        self.types().register(&mut conn, E::CATEGORY, E::kinds()?, true).await?;
        Ok(())
    }

    /// Keeps the store going until `shutdown`: carries wake-ups to and from other processes, makes
    /// segments ahead and freezes full ones, and appends what concurrent tasks append in groups, on
    /// connections of its own. Without it readers poll, an append makes the segment it lacks, and each
    /// is a call and a commit of its own on a connection of the pool.
    ///
    /// # Errors
    ///
    /// None that the store can mend itself: it logs them and goes on. It returns at the shutdown.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), Error> {
        tokio::join!(
            self.0.wake.carry_out(&self.0.db, &shutdown),
            self.0.wake.carry_in(&self.0.db, &shutdown),
            // Large, and seldom at work.
            Box::pin(self.care_for_segments(&shutdown)),
            self.0.group.run(self, &shutdown),
        );
        Ok(())
    }

    async fn care_for_segments(&self, shutdown: &CancellationToken) {
        for round in 0_u32.. {
            if let Err(error) = self.ensure_segments().await {
                let ahead = self.segments_ahead().await;
                tracing::warn!(
                    %error, ahead,
                    "no segments could be made ahead, and so many are left; it is tried again. An \
                     append that finds none waits until it is made"
                );
            }
            // Not worth a warning: what is not frozen now is frozen later, or by the server itself. At
            // first in each round, for who ran before may still be about to let its snapshot go.
            if (round < 6 || round % 6 == 0)
                && let Err(error) = self.freeze_segments().await
            {
                tracing::debug!(%error, "no segment could be frozen; it is tried again");
            }
            let pause = tokio::time::sleep(std::time::Duration::from_secs(10));
            if shutdown.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// How many segments are ahead of the current one, if that can be said.
    async fn segments_ahead(&self) -> Option<usize> {
        let segments = self.segments().await.ok()?;
        Some(segments.iter().filter(|segment| segment.state == SegmentState::Ahead).count())
    }

    pub(crate) async fn ensure_segments(&self) -> Result<(), Error> {
        let mut conn = self.0.db.session("foldlog segments").await?;
        let made = segment::ensure(&mut conn, settled::EVENT_LOG).await?;
        if made > 0 {
            tracing::info!(made, "segments of the event store were made ahead");
        }
        sqlx::Connection::close(conn).await.map_err(|e| database("make segments ahead", e))
    }

    /// Makes the event types of a request known, whatever becomes of the caller's transaction.
    pub(crate) async fn ensure_types(&self, request: &Request) -> Result<(), Error> {
        let mut conn = self.0.db.session("foldlog event types").await?;
        self.types().resolve(&mut conn, request, true).await?;
        sqlx::Connection::close(conn).await.map_err(|e| database("make event types known", e))
    }

    /// Streams to be touched before the next append in a user's transaction. Not at once: the
    /// transaction that failed holds their rows until it is rolled back.
    pub(crate) fn touch_later(&self, request: &Request) {
        let names = request.streams.iter().map(|part| part.name.clone());
        self.0.untouched.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// Brings the rows of those streams up to date, so that a transaction with an old snapshot sees
    /// where they end.
    pub(crate) async fn touch_streams(&self) -> Result<(), Error> {
        let take = || {
            let mut names = self.0.untouched.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *names)
        };
        for name in take() {
            let mut conn = self.acquire().await?;
            sqlx::query(include_str!("../sql/stream_touch.sql"))
                .bind(name.tenant().as_str())
                .bind(vec![name.as_str()])
                .execute(&mut *conn)
                .await
                .map_err(|e| database("bring the row of a stream up to date", e))?;
        }
        Ok(())
    }

    /// The receipt of a request of a tenant, if it was made.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn receipt(&self, tenant: &Tenant, id: Uuid) -> Result<Option<Receipt>, Error> {
        let mut conn = self.acquire().await?;
        self.receipt_in(&mut conn, tenant, id).await
    }

    /// The same, in the caller's transaction.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn receipt_in(
        &self,
        conn: &mut PgConnection,
        tenant: &Tenant,
        id: Uuid,
    ) -> Result<Option<Receipt>, Error> {
        let what = "read a receipt";
        let row = sqlx::query(include_str!("../sql/receipt_read.sql"))
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(conn)
            .await
            .map_err(|e| database(what, e))?;
        let Some(row) = row else { return Ok(None) };
        let read = || {
            let versions: Vec<i64> = row.try_get("versions")?;
            let positions: Vec<Option<i64>> = row.try_get("last_positions")?;
            let reply: Option<String> = row.try_get("reply")?;
            Ok(self.receipt_of(row.try_get("content_hash")?, versions, positions, reply))
        };
        read().map(Some).map_err(|e| database(what, e))
    }

    pub(crate) fn receipt_of(
        &self,
        content_hash: Vec<u8>,
        versions: Vec<i64>,
        positions: Vec<Option<i64>>,
        reply: Option<String>,
    ) -> Receipt {
        let last = positions.into_iter().flatten().max().unwrap_or(0);
        Receipt {
            content_hash,
            versions: versions.into_iter().map(crate::call::number).collect(),
            token: self.token(Position::new(crate::call::number(last))),
            reply: reply.and_then(|json| RawValue::from_string(json).ok()),
        }
    }

    /// The name of the stream of an id.
    ///
    /// # Errors
    ///
    /// As [`StreamName::of`].
    pub fn stream<E: Event>(&self, tenant: &Tenant, id: &E::Id) -> Result<StreamName, Error> {
        StreamName::of::<E>(tenant, id)
    }

    /// Which life of which store this is.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.0.id
    }

    /// The token of a position of this store.
    #[must_use]
    pub fn token(&self, position: Position) -> Token {
        Token::new(self.0.id, 0, position)
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// How many of the sessions that [`run`](Self::run) keeps have been lost so far; `None` while it does
    /// not run.
    ///
    /// A failover or a restore ends them all. What a process remembers of a stream beyond one call is
    /// good only as long as this number stays what it was before it was read or appended.
    #[must_use]
    pub fn sessions_lost(&self) -> Option<u64> {
        self.group().losses()
    }

    /// Wakes readers of this process and of others, after a commit that appended.
    pub fn appended(&self) {
        self.0.wake.appended();
    }

    pub(crate) fn types(&self) -> &EventTypes {
        &self.0.types
    }

    pub(crate) fn names(&self) -> &StreamNames {
        &self.0.names
    }

    pub(crate) fn group(&self) -> &Group {
        &self.0.group
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.0.wake
    }

    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.0.db.acquire().await
    }

    /// Checks that every category of `E` can be read here; a typo in one would read nothing.
    pub(crate) fn categories_of<E: EventSet>() -> Result<&'static [&'static str], Error> {
        if E::CATEGORIES.is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{} names no category", std::any::type_name::<E>()),
            ));
        }
        Ok(E::CATEGORIES)
    }
}
