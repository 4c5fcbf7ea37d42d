//! What was done in a transaction that has not committed yet.

use foldlog_core::Token;
use foldlog_eventstore::EventStore;

/// A token that waits for the commit of your transaction.
///
/// Waiting for a view inside the transaction would wait on oneself, so the token is handed out only
/// [`after_commit`](Self::after_commit). Without that call nothing is lost: readers find the events
/// by polling, within a second. After a rollback drop it.
#[derive(Clone, Debug)]
#[must_use = "call `after_commit` once the transaction has committed"]
pub struct Pending {
    store: EventStore,
    token: Token,
}

impl Pending {
    pub(crate) fn new(store: EventStore, token: Token) -> Self {
        Self { store, token }
    }

    /// To be called when the transaction has committed: wakes readers, and gives the token that a
    /// view is read `at_least`.
    #[must_use = "a view read `at_least` this token holds what was done"]
    pub fn after_commit(self) -> Token {
        self.store.appended();
        self.token
    }
}
