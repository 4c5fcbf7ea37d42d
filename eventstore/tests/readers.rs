//! Readers of all events: ours, and the popular ones that are wrong. The wrong ones show that a
//! schedule bites: a schedule that no planted bug fails on proves nothing.

use foldlog_core::{Position, Source};
use sqlx::{PgConnection, Row};

use crate::support::{Bench, follow, label};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Recipe {
    /// The store's own.
    Ours,
    /// `position > cursor order by position`.
    Plain,
    /// The same, of transactions older than every open one of the server.
    Xmin,
    /// The same, of transactions older than every open one of the database: so that the tests that
    /// run beside do not stall it.
    XminHere,
    /// In the order of transaction ids, of transactions older than every open one of the database.
    ByXidHere,
}

const OLDEST_OPEN: &str = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
const OLDEST_OPEN_HERE: &str = "(select coalesce(min(a.backend_xid::text::bigint), 4294967296)
    from pg_stat_activity a where a.datname = current_database())";

/// A reader that follows, and what it delivered so far.
pub(crate) struct Follower {
    recipe: Recipe,
    reader: Box<dyn foldlog_core::Reader>,
    session: PgConnection,
    position: Position,
    cursor: (i64, i64),
    pub(crate) delivered: Vec<String>,
}

impl Follower {
    pub(crate) async fn new<D>(bench: &Bench<D>, recipe: Recipe) -> Self {
        Self {
            recipe,
            reader: bench.store.reader().await.unwrap(),
            session: bench.session().await,
            position: Position::START,
            cursor: (0, 0),
            delivered: Vec::new(),
        }
    }

    /// Reads to the present end and answers with what is new.
    pub(crate) async fn poll(&mut self) -> Vec<String> {
        let new = match self.recipe {
            Recipe::Ours => {
                follow(&mut *self.reader, &mut self.position).await.iter().map(label).collect()
            }
            Recipe::Plain => self.rows("e.position > $2 and $1 >= 0", "e.position").await,
            Recipe::Xmin => self.rows_before(OLDEST_OPEN, "e.position > $2 and $1 >= 0", "").await,
            Recipe::XminHere => {
                self.rows_before(OLDEST_OPEN_HERE, "e.position > $2 and $1 >= 0", "").await
            }
            Recipe::ByXidHere => {
                let beyond = "(e.xmin::text::bigint, e.position) > ($1, $2)";
                self.rows_before(OLDEST_OPEN_HERE, beyond, "e.xmin::text::bigint,").await
            }
        };
        self.delivered.extend(new.iter().cloned());
        new
    }

    async fn rows_before(&mut self, oldest: &str, beyond: &str, order: &str) -> Vec<String> {
        let condition = format!("{beyond} and e.xmin::text::bigint < {oldest}");
        self.rows(&condition, &format!("{order} e.position")).await
    }

    async fn rows(&mut self, condition: &str, order: &str) -> Vec<String> {
        let sql = format!(
            "select e.xmin::text::bigint, e.position, s.name || '@' || e.version
            from foldlog.event e join foldlog.stream s on s.id = e.stream_id
            where {condition} order by {order}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(self.cursor.0)
            .bind(self.cursor.1)
            .fetch_all(&mut self.session)
            .await
            .unwrap();
        if let Some(last) = rows.last() {
            self.cursor = (last.get(0), last.get(1));
        }
        rows.iter().map(|row| row.get(2)).collect()
    }
}
