//! Boundaries: reading what a decision rests on, and the condition that nothing has been added.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foldlog_core::{
    Error, ErrorKind, Position, Query, QueryItem, RawEvent, StreamName, Tag, Tenant,
};
use foldlog_pg::{database, settled};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::call::number;
use crate::level::{committed, is_at_another};
use crate::read::{Head, PAGE_BYTES_MAX, signed};
use crate::since::{Since, SinceBuilder};
use crate::store::EventStore;

/// How many events are asked for at once.
const PAGE_EVENTS: i32 = 1_000;
/// How long a read waits for the settled position, where too much is beyond it.
const SETTLE_WAIT: Duration = Duration::from_secs(10);
const SETTLE_PAUSE: Duration = Duration::from_millis(5);
/// Parts the texts of a list: no tag and no type of an event holds it.
const SEPARATOR: char = '\u{1f}';

/// What a decision has seen: the answer to a query, for an append on condition that nothing was added
/// to it ([`Request::condition`](crate::Request::condition)).
///
/// It is exact: it names how far everything is settled, and each event beyond that was seen. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Condition {
    pub(crate) tenant: Tenant,
    query: Arc<Query>,
    items: Arc<[Joined]>,
    after: Position,
    // As an array of the server's; none if nothing beyond was seen.
    seen: Option<Arc<str>>,
}

/// An item as the append function takes it.
#[derive(Debug)]
struct Joined {
    types: Option<Box<str>>,
    tags: Option<Box<str>>,
    // Locked while the condition is judged; of no tag, every append is stopped.
    lock: Option<Tag>,
}

/// An item of a condition, for a call.
pub(crate) struct ConditionItem<'a> {
    pub(crate) types: Option<&'a str>,
    pub(crate) tags: Option<&'a str>,
    pub(crate) after: i64,
    pub(crate) seen: Option<&'a str>,
}

impl Condition {
    /// Up to where every event was settled when it was read.
    #[must_use]
    pub fn settled(&self) -> Position {
        self.after
    }

    /// Whether all that was seen was settled: a later read can go on from there.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.seen.is_none()
    }

    fn has_seen(&self, position: Position) -> bool {
        let position = position.to_string();
        let mut seen = self.seen.as_deref().unwrap_or_default().split(['{', ',', '}']);
        seen.any(|seen| seen == position)
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = ConditionItem<'_>> {
        self.items.iter().map(|item| ConditionItem {
            types: item.types.as_deref(),
            tags: item.tags.as_deref(),
            after: signed(self.after.get()),
            seen: self.seen.as_deref(),
        })
    }

    /// The tags that are locked while it is judged; none for an item that stops every append.
    pub(crate) fn locks(&self) -> impl Iterator<Item = Option<&Tag>> + Clone {
        self.items.iter().map(|item| item.lock.as_ref())
    }
}

impl EventStore {
    /// Reads the events that a query selects beyond a position (`Position::START` for all of them), and
    /// answers the condition that there are no others. `take` is given each event in the order of
    /// positions, and which of the query's items it matches, counted from 0. Memory is bounded by a
    /// page, whatever the number of events.
    ///
    /// What is not settled yet is read too, if it was committed. Should more than a thousand events be
    /// that far out, the read waits for some of them to settle. Dropping the future leaves nothing
    /// behind.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a query that can't be; [`ErrorKind::Busy`] if it waited in vain for
    /// events to settle; what `take` answers; those of the database.
    pub async fn read_matching(
        &self,
        tenant: &Tenant,
        query: &Query,
        after: Position,
        mut take: impl FnMut(&RawEvent, &[usize]) -> Result<(), Error> + Send,
    ) -> Result<Condition, Error> {
        let mut conn = self.acquire().await?;
        match self.read_matching_in(&mut conn, tenant, query, after, &mut take).await {
            Err(error) if is_at_another(&error) => {}
            result => return result,
        }
        let failed = |e| database("read what a query selects", e);
        let mut tx = committed(&mut conn).await.map_err(failed)?;
        let condition = self.read_matching_in(&mut tx, tenant, query, after, take).await?;
        tx.commit().await.map_err(failed)?;
        Ok(condition)
    }

    /// The same in the caller's transaction, with what it has appended itself. It must be at isolation
    /// level read committed: on an older snapshot nothing can be said of what was added since.
    ///
    /// # Errors
    ///
    /// As [`read_matching`](Self::read_matching); [`ErrorKind::Setup`] at another isolation level.
    pub async fn read_matching_in(
        &self,
        conn: &mut PgConnection,
        tenant: &Tenant,
        query: &Query,
        after: Position,
        mut take: impl FnMut(&RawEvent, &[usize]) -> Result<(), Error> + Send,
    ) -> Result<Condition, Error> {
        let what = "read what a query selects";
        let items: Arc<[Joined]> =
            query.items()?.iter().map(Joined::new).collect::<Result<_, _>>()?;
        let types: Vec<_> = items.iter().map(|item| item.types.as_deref()).collect();
        let tags: Vec<_> = items.iter().map(|item| item.tags.as_deref()).collect();
        let since = Instant::now();
        let (mut after, mut places) = (after, Vec::new());
        loop {
            let rows = sqlx::query(include_str!("../sql/query_read.sql"))
                .bind(tenant.as_str())
                .bind(signed(after.get()))
                .bind(PAGE_EVENTS)
                .bind(PAGE_BYTES_MAX)
                .bind(&types)
                .bind(&tags)
                .fetch_all(&mut *conn)
                .await
                .map_err(|e| database(what, e))?;
            let Some((end, rows)) = rows.split_last() else {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "a read answered without its last row",
                ));
            };
            let end = Head::read(end).map_err(|e| database(what, e))?;
            let stream = |_, row: &PgRow| {
                let name = row.try_get(7).map_err(|e| database(what, e))?;
                StreamName::parse(tenant, name)
            };
            let events = self.events(&mut *conn, rows, stream).await?;
            for (event, row) in events.iter().zip(rows) {
                let matched: Vec<i32> = row.try_get(8).map_err(|e| database(what, e))?;
                places.clear();
                places.extend(matched.into_iter().map(|item| usize::try_from(item).unwrap_or(0)));
                take(event, &places)?;
            }
            after = Position::new(number(end.position)).max(after);
            match end.version {
                0 => {
                    let beyond = events.iter().map(RawEvent::position).filter(|at| *at > after);
                    let seen = array(beyond);
                    let (tenant, query) = (tenant.clone(), Arc::new(query.clone()));
                    return Ok(Condition { tenant, query, items, after, seen });
                }
                1 => {}
                _ if since.elapsed() > SETTLE_WAIT => return Err(unsettled(conn).await?),
                _ => tokio::time::sleep(SETTLE_PAUSE).await,
            }
        }
    }
}

impl EventStore {
    /// Which events stand against a condition now: for an append that met a
    /// [`ConditionFailed`](crate::AppendError::ConditionFailed).
    ///
    /// # Errors
    ///
    /// As [`read_matching`](Self::read_matching).
    pub async fn since_condition(&self, condition: &Condition) -> Result<Since, Error> {
        let mut conn = self.acquire().await?;
        self.since_condition_in(&mut conn, condition).await
    }

    /// The same in the caller's transaction.
    ///
    /// # Errors
    ///
    /// As [`read_matching_in`](Self::read_matching_in).
    pub async fn since_condition_in(
        &self,
        conn: &mut PgConnection,
        condition: &Condition,
    ) -> Result<Since, Error> {
        let Condition { tenant, query, after, .. } = condition;
        let mut since = SinceBuilder::default();
        self.read_matching_in(conn, tenant, query, *after, |event, _| {
            if !condition.has_seen(event.position()) {
                since.add(event);
            }
            Ok(())
        })
        .await?;
        Ok(since.build())
    }
}

impl Joined {
    fn new(item: &QueryItem) -> Result<Self, Error> {
        if let Some(kind) = item.types.iter().find(|kind| kind.contains(SEPARATOR)) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "a query can't ask for events of type {kind:?}: it holds a control character"
                ),
            ));
        }
        Ok(Self {
            types: join(item.types.iter().map(String::as_str)),
            tags: join(item.tags.iter().map(Tag::as_str)),
            lock: item.tags.first().cloned(),
        })
    }
}

/// Texts as one, as the functions of the store take them; none for none.
pub(crate) fn join<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Box<str>> {
    let mut joined = String::new();
    for text in texts {
        if !joined.is_empty() {
            joined.push(SEPARATOR);
        }
        joined.push_str(text);
    }
    (!joined.is_empty()).then(|| joined.into())
}

/// Positions as an array of PostgreSQL's; none for none.
fn array(positions: impl Iterator<Item = Position>) -> Option<Arc<str>> {
    let texts: Vec<_> = positions.map(|position| position.to_string()).collect();
    (!texts.is_empty()).then(|| format!("{{{}}}", texts.join(",")).into())
}

async fn unsettled(conn: &mut PgConnection) -> Result<Error, Error> {
    let holder = settled::holder(conn, settled::EVENT_LOG).await?;
    let holder = holder.map_or_else(String::new, |holder| format!(": {holder}"));
    Ok(Error::new(
        ErrorKind::Busy,
        format!(
            "more than a thousand events that a decision rests on did not settle in {} s, for an \
             append before them is still open{holder}",
            SETTLE_WAIT.as_secs()
        ),
    ))
}

#[cfg(test)]
impl Condition {
    /// One whose items have tags by number.
    pub(crate) fn of_tags(items: &[Vec<u32>]) -> Self {
        let tag = |n: &u32| Tag::new("tag", &n.to_string());
        let joined = |tags: &Vec<u32>| {
            let tags = tags.iter().map(tag).collect::<Result<_, _>>()?;
            Joined::new(&QueryItem { types: Vec::new(), tags })
        };
        let items = items.iter().map(joined).collect::<Result<_, _>>();
        Self {
            tenant: Tenant::default(),
            query: Arc::default(),
            items: items.unwrap_or_else(|_| Arc::default()),
            after: Position::START,
            seen: None,
        }
    }
}
