//! Event views brought into a database.

use std::collections::HashMap;

use async_trait::async_trait;
use foldlog_core::{Error, ErrorKind};
use foldlog_pg::{Db, database, sqlstate};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::EventViews;
use super::sql::{self, View};
use crate::app::{AppBuilder, Registration, Starting};

impl EventViews {
    /// Makes the views that are missing, and those that changed anew, in one transaction and one
    /// process at a time; the others stay as they are, with their grants. Views of types that are not
    /// among these are left alone.
    ///
    /// A role that may not change the schema can do this too, while there is nothing to change.
    /// Dropping the future leaves all of it done or nothing.
    ///
    /// # Errors
    ///
    /// As [`sql`](Self::sql); [`ErrorKind::Setup`] if an object of yours stands on a view that is to
    /// be changed, or the role may not; those of the database.
    pub async fn install(&self, db: &Db) -> Result<(), Error> {
        let views = self.views()?;
        let mut conn = db.session("foldlog schema").await?;
        if !self.outdated(&mut conn, &views).await?.is_empty() {
            self.renew(&mut conn, &views).await?;
        }
        conn.close().await.map_err(|e| database("close the connection of the event views", e))
    }

    async fn renew(&self, conn: &mut PgConnection, views: &[View]) -> Result<(), Error> {
        let what = "make the event views";
        let mut tx = conn.begin().await.map_err(|e| database(what, e))?;
        sqlx::query(include_str!("../../sql/event_view_lock.sql"))
            .execute(&mut *tx)
            .await
            .map_err(|e| database(what, e))?;
        // Another process may have made them meanwhile.
        let outdated = self.outdated(&mut tx, views).await?;
        if !outdated.is_empty() {
            let text = sql::statements(&self.schema, &self.readers, &outdated);
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *tx).await.map_err(refused)?;
        }
        tx.commit().await.map_err(|e| database(what, e))
    }

    /// The views that are missing, or not as they are to be.
    async fn outdated(&self, conn: &mut PgConnection, views: &[View]) -> Result<Vec<View>, Error> {
        let what = "look up the event views";
        let rows = sqlx::query(include_str!("../../sql/event_view_list.sql"))
            .bind(&self.schema)
            .fetch_all(conn)
            .await
            .map_err(|e| database(what, e))?;
        let standing = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<HashMap<String, String>, sqlx::Error>>()
            .map_err(|e| database(what, e))?;
        if let Some(view) = views
            .iter()
            .find(|view| standing.get(&view.name).is_some_and(|comment| !sql::is_ours(comment)))
        {
            let text = format!(
                "{}.{} is a view that foldlog did not make: name another schema for event views, \
                 or rename it",
                self.schema, view.name
            );
            return Err(Error::new(ErrorKind::Setup, text));
        }
        let is_outdated = |view: &&View| {
            let comment = sql::comment(&self.schema, &self.readers, view);
            standing.get(&view.name) != Some(&comment)
        };
        Ok(views.iter().filter(is_outdated).cloned().collect())
    }
}

fn refused(error: sqlx::Error) -> Error {
    let error = database("make the event views", error);
    if sqlstate(&error) != Some("2BP01") {
        return error;
    }
    let text = "an event view has changed, and an object of yours stands on it: drop that first, and \
                make it again afterwards";
    Error::new(ErrorKind::Setup, text).with_source(error)
}

impl AppBuilder {
    /// Has the event views of these types in the database from the start: see
    /// [`EventViews::install`].
    pub fn event_views(self, views: EventViews) -> Self {
        self.register(views)
    }
}

#[async_trait]
impl Registration for EventViews {
    async fn start(self: Box<Self>, starting: &mut Starting) -> Result<(), Error> {
        self.install(starting.store.db()).await
    }
}
