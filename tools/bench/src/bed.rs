//! A database of a bench, and the app over it.

use std::time::{Duration, Instant};

use foldlog::{App, AppBuilder, Db};
use foldlog_pg::Endpoint;
use sqlx::Row as _;

use crate::Failure;
use crate::account::Account;
use crate::fill;
use crate::server::Server;
use crate::streams::Accounts;

const LOOK: Duration = Duration::from_millis(5);

pub struct Bed {
    name: String,
    db: Db,
    app: App,
}

impl Bed {
    pub async fn open(server: &Server, name: &str) -> Result<Self, Failure> {
        Self::open_with(server, name, AppBuilder::aggregate::<Account>).await
    }

    /// An app that consists of what `of` says.
    pub async fn open_with(
        server: &Server,
        name: &str,
        of: impl FnOnce(AppBuilder) -> AppBuilder,
    ) -> Result<Self, Failure> {
        let db = server.database(name).await?;
        let app = of(App::builder(db.clone())).start().await?;
        Ok(Self { name: name.to_owned(), db, app })
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub fn endpoint(&self) -> &Endpoint {
        self.db.endpoint()
    }

    /// How many connections the app's calls share: what a user has who says nothing.
    pub fn connections(&self) -> u32 {
        self.db.own_pool().options().get_max_connections()
    }

    pub async fn fill(&self, accounts: Accounts) -> Result<(), Failure> {
        fill::fill(self.endpoint(), accounts).await
    }

    /// Waits until every class of every view has come as far as the store's last event.
    pub async fn wait_for_view(&self, patience: Duration) -> Result<(), Failure> {
        let last = sqlx::query_scalar(include_str!("../sql/store_last.sql"));
        let last: i64 = last.fetch_one(self.db.pool()).await?;
        let begun = Instant::now();
        while !has_caught_up(&self.app, last.unsigned_abs()).await? {
            if begun.elapsed() > patience {
                let s = patience.as_secs();
                return Err(format!("the view did not come to the last event in {s} s").into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Fails unless the store holds exactly so many events, and each stream's row fits its events.
    pub async fn check(&self, events: i64) -> Result<(), Failure> {
        let check = sqlx::query(include_str!("../sql/store_check.sql"));
        let row = check.fetch_one(self.db.pool()).await?;
        let (stored, wrong): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if stored != events {
            return Err(format!(
                "{events} events were acknowledged or filled in, but the store holds {stored}"
            )
            .into());
        }
        if wrong > 0 {
            return Err(format!("{wrong} streams are not as their events say").into());
        }
        Ok(())
    }

    /// Fails unless the view has so many rows, each with what its events add up to.
    pub async fn check_view(&self, rows: i64) -> Result<(), Failure> {
        let check = sqlx::query(include_str!("../sql/view_check.sql"));
        let row = check.fetch_one(self.db.pool()).await?;
        let (stored, wrong): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if stored != rows || wrong > 0 {
            return Err(format!(
                "the view has {stored} rows for {rows} accounts, and {wrong} differ from their events"
            )
            .into());
        }
        Ok(())
    }

    /// Ends the app and drops the database.
    pub async fn close(self, server: &Server) -> Result<(), Failure> {
        self.app.shutdown().await?;
        self.db.close().await;
        server.drop_database(&self.name).await
    }
}

/// Whether every class of every view holds everything up to this position.
pub async fn has_caught_up(app: &App, last: u64) -> Result<bool, Failure> {
    let classes = app.status().await?;
    if let Some((at, why)) = classes.iter().find_map(|class| class.stopped.as_ref()) {
        return Err(format!("the view stopped at position {}: {why}", at.get()).into());
    }
    Ok(!classes.is_empty() && classes.iter().all(|class| class.position.get() >= last))
}
