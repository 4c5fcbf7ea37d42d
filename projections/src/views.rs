//! Reading a view: as it is, at least as new as a token, or exact.

pub(crate) mod ahead;
mod wait;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use foldlog_core::{
    Error, ErrorKind, Exact, Fold, Position, RawEvent, Recorded, Route, StreamName, Tenant, Token,
};
use foldlog_pg::database;
use sqlx::{AssertSqlSafe, Row};

use crate::checkpoint::signed_u16;
use crate::projections::Inner;
use crate::stage::rows::{apply, decode, encode_key};
use crate::table::Table;
use crate::why::ReadError;

const TAIL_EVENTS: u32 = 1_000;
/// How long a read waits for its token, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A view of a tenant, to read from.
pub struct Views<V> {
    inner: Arc<Inner>,
    tenant: Tenant,
    view: PhantomData<fn() -> V>,
}

/// A view of a tenant, read not before it holds what a token stands for.
pub struct ViewsAt<V> {
    views: Views<V>,
    token: Token,
    timeout: Duration,
}

/// A row, and the version of the last event of its stream that it took in.
struct Stored<V> {
    row: Option<V>,
    version: u64,
    checkpoint: Position,
}

impl<V: Fold> Views<V>
where
    V::By: Route<V>,
{
    pub(crate) fn new(inner: Arc<Inner>, tenant: Tenant) -> Self {
        Self { inner, tenant, view: PhantomData }
    }

    /// The row of a key as it is in the table: perhaps not the newest.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the view is not registered, [`ErrorKind::Decode`] if the row no
    /// longer fits the type; those of the database.
    pub async fn get(&self, key: &V::Key) -> Result<Option<V>, ReadError> {
        Ok(self.row(key).await?)
    }

    /// Reads not before the view holds everything up to a token.
    #[must_use]
    pub fn at_least(self, token: &Token) -> ViewsAt<V> {
        ViewsAt { views: self, token: *token, timeout: TIMEOUT }
    }

    /// The row of a key with every event that is committed, without waiting: the row as it is
    /// stored, with the events of its stream that it lacks folded in. Works also while no worker
    /// runs. Nothing is written.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); and [`ErrorKind::Decode`] for an event that can't be read.
    pub async fn fresh(&self, key: &V::Key) -> Result<Option<V>, Error>
    where
        V::By: Exact<V>,
    {
        let Some(stream) = <V::By as Route<V>>::stream(&self.tenant, key)? else {
            return Err(Error::new(ErrorKind::Internal, "an exact view without a stream"));
        };
        // The row and its checkpoint are of one snapshot: what is at or below the checkpoint is in
        // the row, and what is above it is read now, later. So nothing is missed or taken twice.
        let Stored { mut row, version, checkpoint } = self.stored(key, &stream).await?;
        let mut after = version;
        loop {
            let tail = self.inner.tail.tail(&stream, after, checkpoint, TAIL_EVENTS).await?;
            let full = tail.len() == TAIL_EVENTS as usize;
            let events: Vec<Recorded<V::Event>> =
                tail.iter().map(RawEvent::typed).collect::<Result<_, _>>()?;
            for event in &events {
                row = apply(row, key, event);
                after = event.version;
            }
            if !full {
                return Ok(row);
            }
        }
    }

    async fn row(&self, key: &V::Key) -> Result<Option<V>, Error> {
        let table = self.table()?;
        let name = self.inner.registered(V::NAME)?.name;
        let mut conn = self.inner.conn().await?;
        let row = sqlx::query(AssertSqlSafe(table.read.clone()))
            .bind(self.tenant.as_str())
            .bind(encode_key::<V>(key)?)
            .bind(name.name)
            .bind(name.version)
            .fetch_optional(&mut *conn)
            .await
            .map_err(unreadable::<V>)?;
        let Some(row) = row else { return Err(gone::<V>()) };
        let json: Option<&str> =
            row.try_get_unchecked(0).map_err(|e| database(format!("read view {}", V::NAME), e))?;
        json.map(decode).transpose()
    }

    async fn stored(&self, key: &V::Key, stream: &StreamName) -> Result<Stored<V>, Error> {
        let what = || format!("read view {}", V::NAME);
        let table = self.table()?;
        let registered = self.inner.registered(V::NAME)?;
        let class =
            foldlog_core::SliceClass::of_key(registered.classes, stream.as_str().as_bytes())
                .unwrap_or(foldlog_core::SliceClass::ALL);
        let mut conn = self.inner.conn().await?;
        let row = sqlx::query(AssertSqlSafe(table.read_at_checkpoint.clone()))
            .bind(self.tenant.as_str())
            .bind(encode_key::<V>(key)?)
            .bind(registered.name.name)
            .bind(registered.name.version)
            .bind(signed_u16(class.modulus()))
            .bind(signed_u16(class.remainder()))
            .fetch_optional(&mut *conn)
            .await
            .map_err(unreadable::<V>)?;
        let Some(row) = row else { return Err(gone::<V>()) };
        let position: i64 = row.try_get(0).map_err(|e| database(what(), e))?;
        let json: Option<&str> = row.try_get_unchecked(1).map_err(|e| database(what(), e))?;
        let version: Option<i64> = row.try_get(2).map_err(|e| database(what(), e))?;
        Ok(Stored {
            row: json.map(decode).transpose()?,
            version: version.and_then(|v| u64::try_from(v).ok()).unwrap_or(0),
            checkpoint: Position::new(u64::try_from(position).unwrap_or(0)),
        })
    }

    fn table(&self) -> Result<&Arc<Table>, Error> {
        let registered = self.inner.registered(V::NAME)?;
        registered.table.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                format!("{} is registered as a batch handler, not as a view", V::NAME),
            )
        })
    }
}

/// This version of the view is not at work: what stands in its table is another's.
fn gone<V: Fold>() -> Error {
    Error::new(
        ErrorKind::Setup,
        format!(
            "version {} of view {} was retired, or another version took its place",
            V::VERSION,
            V::NAME
        ),
    )
}

/// Why the table of a view was not read: it may be gone, which is no matter of migrations.
fn unreadable<V: Fold>(error: sqlx::Error) -> Error {
    let code =
        error.as_database_error().and_then(|cause| cause.code().map(std::borrow::Cow::into_owned));
    // The table, or the row type that goes with it.
    if matches!(code.as_deref(), Some("42P01" | "42704")) {
        let text = format!("view {} has no table: it was retired; register it again", V::NAME);
        return Error::new(ErrorKind::Setup, text);
    }
    database(format!("read view {}", V::NAME), error)
}

impl<V: Fold> ViewsAt<V>
where
    V::By: Route<V>,
{
    /// How long to wait at most; five seconds unless told otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The row of a key, as soon as the view holds everything up to the token.
    ///
    /// # Errors
    ///
    /// [`ReadError::Stale`] with the reason when the time is over;
    /// [`ErrorKind::Foreign`] for a token of another store; otherwise as [`Views::get`].
    pub async fn get(&self, key: &V::Key) -> Result<Option<V>, ReadError> {
        let position = self.token.position_in(self.views.inner.source.store(), 0)?;
        let registered = self.views.inner.registered(V::NAME)?;
        let stream = <V::By as Route<V>>::stream(&self.views.tenant, key)?;
        let classes = wait::classes(registered, stream.as_ref());
        wait::reached(&self.views.inner, registered, &classes, position, self.timeout).await?;
        self.views.get(key).await
    }
}

impl<V> std::fmt::Debug for Views<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Views").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl<V> std::fmt::Debug for ViewsAt<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ViewsAt").field("token", &self.token).finish_non_exhaustive()
    }
}
