//! The limit: tables as ours, and plain statements that do the least to fill them.

use foldlog_pg::Endpoint;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::Failure;
use crate::account;
use crate::callers::Caller;
use crate::streams::Share;

/// A session with the task that moves its bytes.
pub struct Session {
    pub client: Client,
    connection: JoinHandle<()>,
}

impl Session {
    pub async fn open(endpoint: &Endpoint) -> Result<Self, Failure> {
        let opened = endpoint.session("foldlog bench").await?;
        let connection = opened.connection;
        let connection = tokio::spawn(async move {
            // What goes wrong here comes to light at the client.
            drop(connection.await);
        });
        Ok(Self { client: opened.client, connection })
    }

    /// Ends it and waits for the end: a database can't be dropped while it is used.
    pub async fn close(self) {
        let Self { client, connection } = self;
        drop(client);
        drop(connection.await);
    }
}

/// Makes the tables of the limit: as the store's, with the rows it holds by now.
pub async fn copy_store(endpoint: &Endpoint) -> Result<(), Failure> {
    let session = Session::open(endpoint).await?;
    session.client.batch_execute(include_str!("../sql/plain_create.sql")).await?;
    session.client.batch_execute(include_str!("../sql/plain_vacuum.sql")).await?;
    session.close().await;
    Ok(())
}

/// One connection that writes an event to each of so many streams in one statement and commit.
pub struct Batches {
    session: Session,
    statement: Statement,
    share: Share,
    batch: usize,
}

impl Batches {
    /// The numbers of streams in the tables are those of the accounts.
    pub async fn open(endpoint: &Endpoint, share: Share, batch: usize) -> Result<Self, Failure> {
        let session = Session::open(endpoint).await?;
        session.client.batch_execute(include_str!("../sql/plain_session.sql")).await?;
        let statement = match batch {
            1 => include_str!("../sql/plain_append_one.sql"),
            _ => include_str!("../sql/plain_append.sql"),
        };
        let statement = session.client.prepare(statement).await?;
        Ok(Self { session, statement, share, batch })
    }
}

impl Caller for Batches {
    async fn call(&mut self) -> Result<u64, Failure> {
        let Self { session, statement, share, batch } = self;
        let client = &session.client;
        if *batch == 1 {
            let (account, version) = share.next();
            let (next, payload) = (signed(version + 1)?, account::payload(account, version + 1)?);
            let id = Uuid::now_v7();
            let done = client.execute(&*statement, &[&account, &next, &id, &payload]).await?;
            share.advance();
            return Ok(done);
        }
        let (mut accounts, mut versions) = (Vec::new(), Vec::new());
        let (mut ids, mut payloads) = (Vec::new(), Vec::new());
        for _ in 0..*batch {
            let (account, version) = share.next();
            accounts.push(account);
            versions.push(signed(version + 1)?);
            ids.push(Uuid::now_v7());
            payloads.push(account::payload(account, version + 1)?);
            share.advance();
        }
        Ok(client.execute(&*statement, &[&accounts, &versions, &ids, &payloads]).await?)
    }
}

/// One connection that writes so many events to one stream, with a receipt for each.
pub struct HotBatches {
    session: Session,
    statement: Statement,
    account: i64,
    version: u64,
    batch: usize,
}

impl HotBatches {
    pub async fn open(
        endpoint: &Endpoint,
        (account, version): (i64, u64),
        batch: usize,
    ) -> Result<Self, Failure> {
        let session = Session::open(endpoint).await?;
        session.client.batch_execute(include_str!("../sql/plain_session.sql")).await?;
        let statement = session.client.prepare(include_str!("../sql/plain_append_hot.sql")).await?;
        Ok(Self { session, statement, account, version, batch })
    }
}

impl Caller for HotBatches {
    async fn call(&mut self) -> Result<u64, Failure> {
        let batch = u64::try_from(self.batch)?;
        let (mut ids, mut hashes, mut payloads) = (Vec::new(), Vec::new(), Vec::new());
        for version in self.version + 1..=self.version + batch {
            let id = Uuid::now_v7();
            ids.push(id);
            // As long as ours; what is in it costs the server nothing.
            hashes.push([id.as_bytes().as_slice(), id.as_bytes()].concat());
            payloads.push(account::payload(self.account, version)?);
        }
        let version = signed(self.version)?;
        let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&self.account, &version, &ids, &hashes, &payloads];
        self.session.client.execute(&self.statement, &arguments).await?;
        self.version += batch;
        Ok(batch)
    }
}

fn signed(version: u64) -> Result<i64, Failure> {
    Ok(i64::try_from(version)?)
}
