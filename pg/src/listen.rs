//! LISTEN on a connection of its own: a hint that something may have come, never the truth.

use std::future::poll_fn;
use std::time::Duration;

use foldlog_core::Error;
use tokio_postgres::AsyncMessage;
use tokio_util::sync::CancellationToken;

use crate::connect::{Endpoint, Session};
use crate::sqlstate;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Hears the notifications of one channel, and comes back when its connection is lost.
///
/// A notification is a hint: one that is sent while the connection is down is never seen. Whoever
/// listens polls as well.
pub struct Listener;

impl Listener {
    /// Listens until `shutdown`. `on_wake` gets the payload of each notification, and an empty one
    /// each time the session was opened, for what may have been missed until then.
    ///
    /// Nothing is spawned: the connection ends when the future does. A server that can't be reached
    /// is tried again with growing pauses and named in a warning.
    pub async fn run(
        endpoint: &Endpoint,
        channel: &str,
        on_wake: impl Fn(&str) + Send,
        shutdown: CancellationToken,
    ) {
        let mut pause = FIRST_PAUSE;
        loop {
            let heard = shutdown.run_until_cancelled(hear(endpoint, channel, &on_wake)).await;
            let Some(end) = heard else { return };
            if end.opened {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(channel, reason = %end.error, "listening was interrupted; trying again");
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// How a session ended. It has no other end than an error.
struct End {
    opened: bool,
    error: Error,
}

async fn hear(endpoint: &Endpoint, channel: &str, on_wake: &(impl Fn(&str) + Send)) -> End {
    let session = match endpoint.session("foldlog listen").await {
        Ok(session) => session,
        Err(error) => return End { opened: false, error },
    };
    let Session { client, mut connection } = session;
    let name = format!("\"{}\"", channel.replace('"', "\"\""));
    let statement = include_str!("../sql/channel_listen.sql").replace("{channel}", &name);
    let mut opened = false;
    let listening = async {
        let answer = client.batch_execute(&statement).await;
        if answer.is_ok() {
            on_wake("");
        }
        answer
    };
    tokio::pin!(listening);
    loop {
        tokio::select! {
            answer = &mut listening, if !opened => match answer {
                Ok(()) => opened = true,
                Err(error) => return End { opened, error: sqlstate::driver("listening", error) },
            },
            message = poll_fn(|cx| connection.poll_message(cx)) => match message {
                Some(Ok(AsyncMessage::Notification(note))) => on_wake(note.payload()),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    return End { opened, error: sqlstate::driver("listening", error) };
                }
                None => {
                    let error = Error::new(
                        foldlog_core::ErrorKind::Unavailable,
                        "the server closed the listening session",
                    );
                    return End { opened, error };
                }
            },
        }
    }
}
