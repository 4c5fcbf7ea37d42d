//! The append of a transaction that is to be prepared.

use std::sync::Arc;

use foldlog_eventstore::EventStore;
use futures_util::FutureExt as _;

use crate::book::Book;
use crate::domain::AccountId;
use crate::draft::{Draft, DraftPart, outcome};
use crate::field::AppendIn;
use crate::history::{Append, Expect, Outcome};

/// Appends to a stream of its own and to one that others use, which stays locked until the
/// transaction is resolved.
#[must_use]
pub fn appending(store: EventStore, book: Arc<Book>) -> AppendIn {
    Box::new(move |conn| {
        let (store, book) = (store.clone(), book.clone());
        async move {
            let (transaction, number) = (book.number(), book.number());
            let part = |account, index, cents| DraftPart {
                account,
                expect: Expect::Any,
                events: vec![(Book::mark(number, index), cents)],
            };
            let own = AccountId(format!("prepared{number}"));
            let shared = AccountId(format!("cold{}", number % 150));
            let draft =
                Draft { number, id: None, parts: vec![part(own, 1, 7), part(shared, 2, -7)] };
            let begun = book.recorder.now();
            let result = store.append_in(conn, &draft.request()).await;
            let outcome = outcome(&book, &result);
            if !matches!(outcome, Outcome::Done { .. }) {
                return Err("the append of a prepared transaction failed".to_owned());
            }
            let record = draft.record(&book, begun, 0, outcome);
            book.append(Append { transaction: Some(transaction), ..record });
            Ok(Some(transaction))
        }
        .boxed()
    })
}
