//! A database for one test.

use std::sync::atomic::{AtomicU32, Ordering};

use foldlog_pg::{Db, Endpoint};
use sqlx::{PgConnection, PgPool};

use crate::admin::{self, Admin};
use crate::server::TestServer;

/// Databases of tests are named so, then the token of their process, then a number.
const PREFIX: &str = "foldlog_test_";

/// A database that is dropped with this value.
pub struct TestDatabase {
    db: Db,
    admin: Endpoint,
    name: String,
    url: String,
}

impl TestDatabase {
    pub(crate) async fn make(server: &TestServer, template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{number}", server.token());
        let mut admin = Admin::open(server.endpoint(), "foldlog testkit").await;
        let sql = include_str!("../sql/database_create.sql");
        admin.run(sql, &[("name", &name), ("template", template)]).await;
        admin.close().await;
        let db = Db::open(server.endpoint().clone().with_database(&name), None).await;
        Self {
            db: db.unwrap_or_else(|error| panic!("testkit: {error}")),
            admin: server.endpoint().clone(),
            url: server.url(&name),
            name,
        }
    }

    /// The database, with a pool of its own.
    #[must_use]
    pub fn db(&self) -> Db {
        self.db.clone()
    }

    /// Its pool.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        self.db.pool()
    }

    /// Its URL, for other programs and other drivers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A session in the server's own database, for what can't be done from within this one.
    ///
    /// # Panics
    ///
    /// The server is gone.
    pub async fn admin(&self) -> PgConnection {
        Admin::open(&self.admin, "foldlog testkit").await.into_connection()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        admin::drop_blocking(&self.admin, &self.name);
    }
}

/// Drops the databases of processes that no session vouches for any more.
pub(crate) async fn drop_left_behind(admin: &mut Admin, owner: &str) {
    // The databases first: one that is made meanwhile has an owner who is in the second list.
    let databases = admin.list(include_str!("../sql/database_list.sql"), PREFIX).await;
    let owners = admin.list(include_str!("../sql/owner_list.sql"), owner).await;
    for name in databases {
        let token = name.strip_prefix(PREFIX).and_then(|rest| rest.split('_').next());
        let lives = owners.iter().any(|name| name.strip_prefix(owner) == token);
        if !lives {
            // Another process may be at the same; then it is gone all the same.
            let sql = include_str!("../sql/database_drop.sql");
            let _dropped = admin.attempt(sql, &[("name", &name)]).await;
        }
    }
}

/// A URL with another database in its path.
pub(crate) fn with_name(url: &str, database: &str) -> String {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let start = address.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = address.split_at(start);
    let authority = rest.split('/').next().unwrap_or_default();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{scheme}{authority}/{database}{query}")
}
