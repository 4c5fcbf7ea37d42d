//! Databases that are prepared once and cloned for each test.

use std::hash::{DefaultHasher, Hash, Hasher};

use foldlog_pg::Db;

use crate::admin::Admin;
use crate::database::TestDatabase;
use crate::server::{TestServer, server};

const PREFIX: &str = "foldlog_template_";

/// A prepared database, to be cloned.
pub struct Template {
    server: &'static TestServer,
    name: String,
}

/// A template of this name, prepared by `prepare` unless that was done before, by any process.
///
/// `content` is what the preparation depends on, for example the text of all migrations: another
/// content makes another template, and the old ones of the name are dropped.
///
/// # Panics
///
/// The preparation panics, or the server refuses a statement.
pub async fn template<P>(name: &str, content: impl AsRef<[u8]>, prepare: P) -> Template
where
    P: AsyncFnOnce(Db),
{
    let server = server().await;
    let family = format!("{PREFIX}{name}_");
    let mut hasher = DefaultHasher::new();
    content.as_ref().hash(&mut hasher);
    let name = format!("{family}{:016x}", hasher.finish());
    let mut admin = Admin::open(server.endpoint(), "foldlog testkit").await;
    // Held until the session ends, whatever happens to this future.
    admin.run(include_str!("../sql/template_hold.sql"), &[]).await;
    let existing = admin.list(include_str!("../sql/database_list.sql"), &family).await;
    if !existing.contains(&name) {
        build(&mut admin, server, &existing, &name, prepare).await;
    }
    admin.close().await;
    Template { server, name }
}

async fn build<P>(
    admin: &mut Admin,
    server: &TestServer,
    existing: &[String],
    name: &str,
    prepare: P,
) where
    P: AsyncFnOnce(Db),
{
    let drop = include_str!("../sql/database_drop.sql");
    // An older one may be in use by another process that runs an older build.
    if server.is_alone(admin).await {
        for old in existing {
            admin.run(drop, &[("name", old)]).await;
        }
    }
    // It takes its name when it is done: half a template is never cloned.
    let unfinished = format!("{name}_unfinished");
    admin.run(drop, &[("name", &unfinished)]).await;
    let create = include_str!("../sql/database_create.sql");
    admin.run(create, &[("name", &unfinished), ("template", "template0")]).await;
    let db = Db::open(server.endpoint().clone().with_database(&unfinished), None).await;
    let db = db.unwrap_or_else(|error| panic!("testkit: {error}"));
    prepare(db.clone()).await;
    db.close().await;
    admin.run(include_str!("../sql/database_close.sql"), &[("name", &unfinished)]).await;
    let rename = include_str!("../sql/database_rename.sql");
    admin.run(rename, &[("name", &unfinished), ("to", name)]).await;
}

impl Template {
    /// A clone for one test.
    ///
    /// # Panics
    ///
    /// The server refuses, for example because somebody is connected to the template.
    pub async fn database(&self) -> TestDatabase {
        TestDatabase::make(self.server, &self.name).await
    }
}
