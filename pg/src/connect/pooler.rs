//! Whether a pooler in our way gives one session of the server to several clients by turns.
//!
//! In transaction mode the drivers' prepared statements stay behind in sessions that other clients
//! use, under names that these use too: one fails because the name is taken, or runs what another
//! prepared. A lock or a setting of a session would be another client's as well.

use foldlog_core::{Error, ErrorKind};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row};

use super::Endpoint;

/// What only one session of one server answers.
type Identity = (i32, f64);

/// Refuses a way to the server on which our sessions are not our own. `one` is the session that was
/// opened with `options`; for the comparison another one is opened, and closed again. `direct` says
/// that the user has named a way past a pooler.
///
/// Where there is no room for another one, nothing is proved and nothing refused: a server or a
/// session pooler of one connection must do for those who need no more.
pub(crate) async fn refuse(
    one: &mut PgConnection,
    options: &PgConnectOptions,
    endpoint: &Endpoint,
    direct: bool,
) -> Result<(), Error> {
    // A session pooler that is full lets us in and then does not answer.
    let answer = tokio::time::timeout(endpoint.connect_timeout, Box::pin(shared(one, options)));
    let remedy = match answer.await {
        Ok(Ok(true)) if direct => "put the address of DATABASE_URL_DIRECT into DATABASE_URL",
        Ok(Ok(true)) => "connect to the server by its own address",
        Ok(Ok(false)) => return Ok(()),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no second session to look for a pooler with");
            return Ok(());
        }
        Err(_) => {
            tracing::debug!("a second session was too slow to look for a pooler with");
            return Ok(());
        }
    };
    Err(Error::new(
        ErrorKind::Setup,
        format!(
            "{endpoint}: the connection goes through a pooler that shares sessions between clients \
             (transaction or statement mode), where one client can run what another one prepared: \
             {remedy}, or let the pooler work in session mode"
        ),
    ))
}

async fn shared(one: &mut PgConnection, options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut other = options.connect().await?;
    let shared = compare(one, &mut other).await;
    // The comparison is what counts; how the farewell goes is not.
    let _farewell = other.close().await;
    shared
}

/// Both are open, so each has a session of its own and keeps it, or they share.
///
/// One after the other finds a pooler that gives out the session it got back last; the same one twice
/// running finds one that gives them out in a circle, be it of two; and some more turns find a busy
/// one, where chance decides.
async fn compare(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let (of_one, of_other) = (identity(one).await?, identity(other).await?);
    Ok(of_one == of_other
        || identity(other).await? != of_other
        || identity(one).await? != of_one
        || identity(one).await? != of_one
        || identity(other).await? != of_other)
}

async fn identity(client: &mut PgConnection) -> Result<Identity, sqlx::Error> {
    let statement = sqlx::raw_sql(include_str!("../../sql/session_identify.sql"));
    let row = client.fetch_one(statement).await?;
    Ok((row.try_get("process")?, row.try_get("server_start")?))
}
