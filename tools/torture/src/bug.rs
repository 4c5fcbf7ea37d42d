//! Bugs put in on purpose. A checker counts only when it catches them.

/// What is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A reader pages by position alone.
    PlainCursor,
    /// A reader pages by position among rows whose transaction is older than every open one.
    XminFilter,
    /// A reader pages by transaction and position.
    OrderByXid,
    /// A reader asks for the settled position after it has read the rows.
    SettledAfterRows,
    /// Writers read their bound off the sequence's row, as it stands while it is written ahead.
    BoundByScan,
    /// A reader's session is at repeatable read.
    RepeatableRead,
    /// A worker commits its rows first, and its checkpoint in another transaction.
    CheckpointOutside,
    /// A worker's checkpoint asks for neither the epoch nor the old position.
    FenceIgnored,
    /// A worker loads its rows before its transaction begins.
    FoldOutside,
    /// A writer repeats an ambiguous append under new ids.
    RetryWithoutIdempotency,
    /// A writer acknowledges a transaction before it commits.
    AckBeforeCommit,
    /// An append does not hold the lock of all events, so a query without tags is judged beside it.
    TagLockForgotten,
    /// A condition knows only the highest position that was seen.
    CountOnlyCondition,
    /// A call of appends waits for a stream that a stranger holds, and all its requests with it.
    BatchWaitsForStranger,
    /// A writer notes what it has appended in a transaction after that of the events.
    ReceiptOutsideTransaction,
}

impl Bug {
    pub const ALL: [Self; 15] = [
        Self::PlainCursor,
        Self::XminFilter,
        Self::OrderByXid,
        Self::SettledAfterRows,
        Self::BoundByScan,
        Self::RepeatableRead,
        Self::CheckpointOutside,
        Self::FenceIgnored,
        Self::FoldOutside,
        Self::RetryWithoutIdempotency,
        Self::AckBeforeCommit,
        Self::TagLockForgotten,
        Self::CountOnlyCondition,
        Self::BatchWaitsForStranger,
        Self::ReceiptOutsideTransaction,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PlainCursor => "plain-cursor",
            Self::XminFilter => "xmin-filter",
            Self::OrderByXid => "order-by-xid",
            Self::SettledAfterRows => "settled-after-rows",
            Self::BoundByScan => "bound-by-scan",
            Self::RepeatableRead => "repeatable-read",
            Self::CheckpointOutside => "checkpoint-outside",
            Self::FenceIgnored => "fence-ignored",
            Self::FoldOutside => "fold-outside",
            Self::RetryWithoutIdempotency => "retry-without-idempotency",
            Self::AckBeforeCommit => "ack-before-commit",
            Self::TagLockForgotten => "tag-lock-forgotten",
            Self::CountOnlyCondition => "count-only-condition",
            Self::BatchWaitsForStranger => "batch-waits-for-stranger",
            Self::ReceiptOutsideTransaction => "receipt-outside-transaction",
        }
    }

    /// The guarantee by which it has to be caught: any other finding may be chance.
    #[must_use]
    pub fn breaks(self) -> &'static str {
        match self {
            Self::PlainCursor
            | Self::XminFilter
            | Self::OrderByXid
            | Self::SettledAfterRows
            | Self::BoundByScan
            | Self::RepeatableRead => "G7",
            Self::CheckpointOutside | Self::FoldOutside => "G9",
            Self::FenceIgnored => "G10",
            Self::RetryWithoutIdempotency | Self::ReceiptOutsideTransaction => "G3",
            Self::BatchWaitsForStranger => "G8",
            Self::AckBeforeCommit => "G2",
            Self::TagLockForgotten | Self::CountOnlyCondition => "G5",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }
}
