//! Sessions of tokio-postgres whose connection is moved by whoever waits for an answer: no task of its own,
//! which could outlive them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use foldlog_pg::Connection;

/// A future of the client, with the connection that moves its bytes.
pub(crate) async fn driven<F: Future>(connection: &mut Option<Connection>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // First what the future wants sent, then what has come.
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        moves(connection, cx);
        future.as_mut().poll(cx)
    })
    .await
}

/// Moves bytes as far as they go now. A connection that has ended is dropped: it holds the other end of
/// each answer that is waited for, and only so are they given up.
pub(crate) fn moves(connection: &mut Option<Connection>, cx: &mut Context<'_>) {
    while let Some(open) = connection {
        match open.poll_message(cx) {
            // Notices are for people, and the server logs them.
            Poll::Ready(Some(Ok(_))) => {}
            // What went wrong the client's future says, too.
            Poll::Ready(Some(Err(_)) | None) => *connection = None,
            Poll::Pending => return,
        }
    }
}
