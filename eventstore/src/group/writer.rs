//! A connection that appends: a session of its own, outside of any transaction.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use foldlog_core::{Error, ErrorKind};
use foldlog_pg::{Connection, Db, Session, driver};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use crate::call::{Answer, Columns};

/// A server that has not answered a call by then is taken for gone. Longer than any wait for a lock.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// A session and the statement it calls.
pub(super) struct Writer {
    session: Session,
    append: Statement,
    // The connection has come to an end.
    ended: bool,
}

impl Writer {
    pub(super) async fn open(db: &Db) -> Result<Self, Error> {
        let mut session = db.direct().session("foldlog append").await?;
        let mut ended = false;
        let Session { client, connection } = &mut session;
        let prepare = async {
            client.batch_execute(include_str!("../../sql/append_session.sql")).await?;
            client.prepare(include_str!("../../sql/append.sql")).await
        };
        let append = driven(connection, &mut ended, prepare).await;
        let append = append.map_err(|e| driver("prepare a session for appends", e))?;
        Ok(Self { session, append, ended })
    }

    /// Calls the append function. After an error that is not the server's answer the session is of no
    /// use.
    pub(super) async fn call(
        &mut self,
        columns: &Columns<'_>,
        wait_ms: i32,
    ) -> Result<Vec<Answer>, Error> {
        let Self { session, append, ended } = self;
        let Session { client, connection } = session;
        let c = columns;
        let arguments: [&(dyn ToSql + Sync); 13] = [
            &wait_ms,
            &c.tenants,
            &c.ids,
            &c.hashes,
            &c.replies,
            &c.stream_requests,
            &c.names,
            &c.expected,
            &c.event_streams,
            &c.event_ids,
            &c.types,
            &c.payloads,
            &c.metadata,
        ];
        let call = driven(connection, ended, client.query(&*append, &arguments));
        let rows = match tokio::time::timeout(ANSWER_WAIT, call).await {
            Ok(rows) => rows.map_err(|e| driver("append", e))?,
            Err(_) => {
                *ended = true;
                let message = "append: the server did not answer in time";
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
        };
        let rows = rows.iter().map(answer).collect::<Result<Vec<_>, _>>();
        rows.map_err(|e| driver("read the answer of an append", e))
    }

    /// Which process of the server holds a stream now; none if nobody does, or a prepared transaction.
    pub(super) async fn holder(&mut self, tenant: &str, stream: &str) -> Option<i32> {
        let Session { client, connection } = &mut self.session;
        let look = async {
            let sql = include_str!("../../sql/stream_holder.sql");
            client.query_opt(sql, &[&tenant, &stream]).await.ok()??.try_get(0).ok()?
        };
        driven(connection, &mut self.ended, look).await
    }

    /// Whether it can be called.
    pub(super) fn is_open(&self) -> bool {
        !self.ended && !self.session.client.is_closed()
    }

    /// Resolves when the server ends the session.
    pub(super) async fn closed(&mut self) {
        let Self { session, ended, .. } = self;
        poll_fn(|cx| {
            moves(&mut session.connection, ended, cx);
            if *ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// A future of the client, with the connection that moves its bytes.
async fn driven<F: Future>(connection: &mut Connection, ended: &mut bool, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // First what the future wants sent, then what has come.
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        moves(connection, ended, cx);
        future.as_mut().poll(cx)
    })
    .await
}

/// Moves bytes as far as they go now.
fn moves(connection: &mut Connection, ended: &mut bool, cx: &mut Context<'_>) {
    while !*ended {
        match connection.poll_message(cx) {
            // Notices are for people, and the server logs them.
            Poll::Ready(Some(Ok(_))) => {}
            // What went wrong the client's future says, too.
            Poll::Ready(Some(Err(_)) | None) => *ended = true,
            Poll::Pending => return,
        }
    }
}

fn answer(row: &Row) -> Result<Answer, tokio_postgres::Error> {
    Ok(Answer {
        request: row.try_get(0)?,
        outcome: row.try_get(2)?,
        version: row.try_get(3)?,
        last_position: row.try_get(5)?,
        reply: row.try_get(6)?,
    })
}
