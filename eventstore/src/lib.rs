//! The event store: append-only streams on PostgreSQL, with an order of all events that never skips
//! one, appends in your own transaction, and repeats that are recognised for ever.
//!
//! In reading order: [`EventStore`] opens it; a [`Request`] of [`StreamEvents`] is appended and
//! answered with [`Appended`] or [`AppendError`]; [`StreamPage`] reads a stream, and [`Events`] a long
//! one or all of them; [`StreamInfo`] and [`StreamList`] say what there is; the store is a
//! [`Source`](foldlog_core::Source) of all settled events, and [`Subscription`] follows it.

mod append;
mod boundary;
mod call;
#[cfg(feature = "tokio-postgres")]
mod client;
mod cqrs_es;
mod driven;
mod event_type;
mod events;
mod group;
mod import;
mod level;
mod limits;
mod list;
mod mark;
mod names;
mod read;
mod request;
mod retention;
mod since;
mod snapshot;
mod source;
mod store;
mod subscription;
mod wake;

pub use append::{AppendError, Appended, StreamAppended};
pub use boundary::Condition;
#[cfg(feature = "tokio-postgres")]
pub use client::TokioClient;
pub use cqrs_es::{CqrsEs, CqrsEsCategory, CqrsEsError, CqrsEsReport, CqrsEsType, PayloadForm};
pub use events::{Events, TypedEvents};
pub use foldlog_pg::segment::{Segment, SegmentState};
pub use import::{HistoricalEvent, Import, ImportError, ImportProgress, Imported};
pub use limits::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, EVENT_BYTES_MAX, EVENT_DEPTH_MAX, EVENT_TAGS_MAX,
    METADATA_BYTES_MAX,
};
pub use list::{Category, EventKind, StreamInfo, StreamList, StreamState, StreamsPage};
pub use mark::{Cut, Mark, MarkKind, Marking, MarkingIn, REASON_BYTES_MAX};
pub use read::StreamPage;
#[doc(hidden)]
pub use request::Rewrite;
pub use request::{IntoEvents, Request, StreamEvents, any, exists, no_stream};
pub use retention::{Retention, Retired};
pub use since::{EventHeader, Since};
pub use snapshot::{SNAPSHOT_BYTES_MAX, Snapshot, SnapshotSchema, StreamLoad};
pub use store::{EventStore, Receipt};
pub use subscription::Subscription;

/// Every statement this crate sends, by the name of its file: for tests that prepare them all.
#[doc(hidden)]
pub const STATEMENTS: &[(&str, &str)] = &[
    ("append", include_str!("../sql/append.sql")),
    ("append_session", include_str!("../sql/append_session.sql")),
    ("stream_holder", include_str!("../sql/stream_holder.sql")),
    ("event_type_register", include_str!("../sql/event_type_register.sql")),
    ("event_type_read", include_str!("../sql/event_type_read.sql")),
    ("all_read", include_str!("../sql/all_read.sql")),
    ("stream_names", include_str!("../sql/stream_names.sql")),
    ("server_life", include_str!("../sql/server_life.sql")),
    ("stream_read", include_str!("../sql/stream_read.sql")),
    ("stream_read_back", include_str!("../sql/stream_read_back.sql")),
    ("stream_info", include_str!("../sql/stream_info.sql")),
    ("stream_list", include_str!("../sql/stream_list.sql")),
    ("category_list", include_str!("../sql/category_list.sql")),
    ("streams_read", include_str!("../sql/streams_read.sql")),
    ("retention_begin", include_str!("../sql/retention_begin.sql")),
    ("retention_streams", include_str!("../sql/retention_streams.sql")),
    ("retention_next", include_str!("../sql/retention_next.sql")),
    ("stream_mark", include_str!("../sql/stream_mark.sql")),
    ("committed_begin", include_str!("../sql/committed_begin.sql")),
    ("mark_list", include_str!("../sql/mark_list.sql")),
    ("stream_touch", include_str!("../sql/stream_touch.sql")),
    ("query_read", include_str!("../sql/query_read.sql")),
    ("tag_holder", include_str!("../sql/tag_holder.sql")),
    ("stream_load", include_str!("../sql/stream_load.sql")),
    ("streams_load", include_str!("../sql/streams_load.sql")),
    ("snapshot_keep", include_str!("../sql/snapshot_keep.sql")),
    ("receipt_read", include_str!("../sql/receipt_read.sql")),
    ("cqrs_es_session", include_str!("../sql/cqrs_es_session.sql")),
    ("cqrs_es_begin", include_str!("../sql/cqrs_es_begin.sql")),
    ("cqrs_es_table", include_str!("../sql/cqrs_es_table.sql")),
    ("cqrs_es_by_stream", include_str!("../sql/cqrs_es_by_stream.sql")),
    ("cqrs_es_by_time", include_str!("../sql/cqrs_es_by_time.sql")),
    ("cqrs_es_one", include_str!("../sql/cqrs_es_one.sql")),
    ("import_open", include_str!("../sql/import_open.sql")),
    ("import_batch", include_str!("../sql/import_batch.sql")),
    ("import_copy", include_str!("../sql/import_copy.sql")),
    ("import_copy_tag", include_str!("../sql/import_copy_tag.sql")),
    ("import_batch_end", include_str!("../sql/import_batch_end.sql")),
    ("import_finish", include_str!("../sql/import_finish.sql")),
    ("wake_notify", include_str!("../sql/wake_notify.sql")),
];
