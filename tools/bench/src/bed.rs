//! A database of a bench, and the app over it.

use foldlog::{App, Db};
use foldlog_pg::Endpoint;
use sqlx::Row as _;

use crate::Failure;
use crate::account::Account;
use crate::fill;
use crate::server::Server;
use crate::streams::Accounts;

pub struct Bed {
    name: String,
    db: Db,
    app: App,
}

impl Bed {
    pub async fn open(server: &Server, name: &str) -> Result<Self, Failure> {
        let db = server.database(name).await?;
        let app = App::builder(db.clone()).aggregate::<Account>().start().await?;
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

    /// How many events the store holds.
    pub async fn stored(&self) -> Result<i64, Failure> {
        let count = sqlx::query_scalar(include_str!("../sql/store_count.sql"));
        Ok(count.fetch_one(self.db.pool()).await?)
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
