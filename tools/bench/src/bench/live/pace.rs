//! A steady pace: so many events a second, whether or not the ones before are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foldlog::{App, Expected, StreamEvents};
use foldlog_pg::Endpoint;
use tokio::task::JoinSet;
use tokio_postgres::Statement;
use uuid::Uuid;

use super::RATE;
use super::sight::{Awaited, Seen, Sight};
use crate::Failure;
use crate::account::{self, AccountEvent, AccountId};
use crate::callers::Measured;
use crate::plain::Session;
use crate::streams::{Accounts, Share};

/// Appends through the app, each time to the account that had none for the longest time.
pub struct Pace {
    app: App,
    share: Share,
    appended: u64,
}

impl Pace {
    pub fn new(app: &App, accounts: Accounts) -> Self {
        Self { app: app.clone(), share: accounts.share(), appended: 0 }
    }

    pub fn appended(&self) -> u64 {
        self.appended
    }

    /// At the rate for this time; answers when all of it was seen in the view.
    pub async fn run(&mut self, endpoint: &Endpoint, time: Duration) -> Result<Vec<Seen>, Failure> {
        let (sight, sender) = Sight::open(endpoint);
        let mut appends = JoinSet::new();
        let mut ticks = ticks();
        for _ in 0..events(time) {
            ticks.tick().await;
            let (append, sender) = (self.append(), sender.clone());
            appends.spawn(async move {
                let awaited = append.await?;
                // Who looks has failed if nobody listens, and says so at the end.
                let _heard = sender.send(awaited);
                Ok::<_, Failure>(())
            });
        }
        drop(sender);
        while let Some(appended) = appends.join_next().await {
            appended??;
        }
        sight.end().await
    }

    /// One event, on its way to the view.
    fn append(&mut self) -> impl Future<Output = Result<Awaited, Failure>> + Send + use<> {
        let (account, version) = self.share.next();
        self.share.advance();
        self.appended += 1;
        let app = self.app.clone();
        async move {
            let event = AccountEvent::of(account, version + 1);
            let called = Instant::now();
            let events = StreamEvents::of(&AccountId(account), Expected::Exact(version), event);
            let appended = app.append([events]).await?;
            let answered = Instant::now();
            let stream = appended.streams.first().ok_or("an append answered without a stream")?;
            let (slice, position) = (stream.stream.slice(), appended.token.position().get());
            Ok(Awaited { slice, position, called, answered })
        }
    }

    /// One event at once; answers when it was seen in the view.
    pub async fn one(
        &mut self,
        sight: Sight,
        sender: std::sync::mpsc::Sender<Awaited>,
    ) -> Result<Seen, Failure> {
        let awaited = self.append().await?;
        let _heard = sender.send(awaited);
        drop(sender);
        let seen = sight.end().await?;
        seen.first().copied().ok_or_else(|| "an event was not seen in the view".into())
    }
}

/// The same rows by one prepared statement each, on one connection.
pub struct Bare {
    session: Arc<Session>,
    statement: Statement,
    share: Share,
}

impl Bare {
    pub async fn open(endpoint: &Endpoint, accounts: Accounts) -> Result<Self, Failure> {
        let session = Session::open(endpoint).await?;
        let statement =
            session.client.prepare(include_str!("../../../sql/plain_append_one.sql")).await?;
        Ok(Self { session: Arc::new(session), statement, share: accounts.share() })
    }

    /// At the rate for this time.
    pub async fn run(&mut self, time: Duration) -> Result<Measured, Failure> {
        let mut appends = JoinSet::new();
        let mut ticks = ticks();
        for _ in 0..events(time) {
            ticks.tick().await;
            let (account, version) = self.share.next();
            self.share.advance();
            let (session, statement) = (Arc::clone(&self.session), self.statement.clone());
            appends.spawn(async move {
                let payload = account::payload(account, version + 1)?;
                let called = Instant::now();
                let (next, id) = (i64::try_from(version + 1)?, Uuid::now_v7());
                session.client.execute(&statement, &[&account, &next, &id, &payload]).await?;
                Ok::<_, Failure>(called.elapsed())
            });
        }
        let mut measured = Measured::default();
        while let Some(took) = appends.join_next().await {
            measured.latencies.record(took??);
            measured.events += 1;
        }
        measured.per_s = measured.events as f64 / time.as_secs_f64();
        Ok(measured)
    }
}

fn events(time: Duration) -> u64 {
    ((RATE as f64 * time.as_secs_f64()) as u64).max(1)
}

fn ticks() -> tokio::time::Interval {
    tokio::time::interval(Duration::from_secs(1) / u32::try_from(RATE).unwrap_or(1))
}
