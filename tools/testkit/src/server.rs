//! The server that all tests of a process share, and all test processes of a user.

use std::path::PathBuf;
use std::process::Child;

use foldlog_pg::{Endpoint, PrivateServer, ServerOptions, Variables};
use sqlx::PgConnection;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::admin::Admin;
use crate::database::{self, TestDatabase};

/// Sessions so named vouch for the databases of a living process.
const OWNER: &str = "foldlog testkit owner ";

/// A server for tests, with the right to make databases on it.
pub struct TestServer {
    endpoint: Endpoint,
    url: String,
    token: String,
    /// None where `FOLDLOG_TEST_URL` names the server.
    private: Option<Private>,
    // Only held: as long as it is open, nobody takes our databases for left behind.
    _owner: PgConnection,
}

struct Private {
    server: PrivateServer,
    // Its standard input ends with this process, and then it stops the server if nobody uses it:
    // a static is never dropped.
    _caretaker: Option<Child>,
}

/// The server of this process: what `FOLDLOG_TEST_URL` names, else a private one that forgets its
/// data in a crash of the machine, which makes tests fast. `FOLDLOG_PG` and `FOLDLOG_PG_BIN` choose
/// its version; `DATABASE_URL` is never read.
///
/// # Panics
///
/// There is no server to be had.
pub async fn server() -> &'static TestServer {
    static SERVER: OnceCell<TestServer> = OnceCell::const_new();
    SERVER.get_or_init(TestServer::start).await
}

impl TestServer {
    async fn start() -> Self {
        let variables = Variables::from_process();
        let (endpoint, url, private) = match variables.get("FOLDLOG_TEST_URL") {
            Some(url) => match Endpoint::parse(url, &Variables::none()) {
                Ok(endpoint) => (endpoint, url.to_owned(), None),
                Err(error) => panic!("FOLDLOG_TEST_URL: {error}"),
            },
            None => {
                let private = Private::start(&variables).await;
                let endpoint = private.server.endpoint("postgres");
                (endpoint, private.server.url("postgres"), Some(private))
            }
        };
        let token = Uuid::new_v4().simple().to_string().split_off(20);
        let mut admin = Admin::open(&endpoint, &format!("{OWNER}{token}")).await;
        database::drop_left_behind(&mut admin, OWNER).await;
        Self { endpoint, url, token, private, _owner: admin.into_connection() }
    }

    /// The server's own database, where databases are made from.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The URL of one of its databases.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        match &self.private {
            Some(private) => private.server.url(database),
            None => database::with_name(&self.url, database),
        }
    }

    /// Where its data is; none if the server is not ours.
    #[must_use]
    pub fn data(&self) -> Option<PathBuf> {
        self.private.as_ref().map(|private| private.server.data())
    }

    /// An empty database of its own.
    pub async fn database(&self) -> TestDatabase {
        TestDatabase::make(self, "template0").await
    }

    /// Whether no other process tests on this server now.
    pub(crate) async fn is_alone(&self, admin: &mut Admin) -> bool {
        admin.list(include_str!("../sql/owner_list.sql"), OWNER).await.len() == 1
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}

impl Private {
    async fn start(variables: &Variables) -> Self {
        let options = options(variables)
            .base(std::env::temp_dir().join(format!("foldlog-test-{}", user(variables))))
            .setting("fsync", "off")
            .setting("synchronous_commit", "on")
            .setting("max_prepared_transactions", "16");
        let server = PrivateServer::start(options).await;
        let server = server.unwrap_or_else(|error| panic!("testkit: {error}"));
        // Without the tools that it needs the server stays up, and the next run adopts it.
        let caretaker = server.caretaker().spawn().ok();
        Self { server, _caretaker: caretaker }
    }
}

/// Not the process's own variables but those that may speak to tests.
pub(crate) fn options(variables: &Variables) -> ServerOptions {
    let names = ["FOLDLOG_PG", "FOLDLOG_PG_BIN", "PATH", "HOME", "XDG_CACHE_HOME"];
    let told = names.iter().filter_map(|name| Some((*name, variables.get(name)?)));
    ServerOptions::new(told.collect())
}

/// Part of a path, so that two users of one machine do not meet.
fn user(variables: &Variables) -> String {
    let name = variables.get("USER").or(variables.get("LOGNAME")).or(variables.get("HOME"));
    name.unwrap_or("root").chars().filter(char::is_ascii_alphanumeric).collect()
}
