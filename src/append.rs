//! Appending without a command: to one stream or several, as a whole or not at all.

use std::future::IntoFuture;

use foldlog_core::{BoxFuture, Metadata, Token};
use foldlog_eventstore::{self as eventstore, AppendError, Request, StreamAppended, StreamEvents};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::App;
use crate::pending::Pending;

/// What an append came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Appended<T = Token> {
    /// Each stream of the append, in its order.
    pub streams: Vec<StreamAppended>,
    /// A view read `at_least` this token holds the whole append. In a transaction of yours a
    /// [`Pending`], which becomes the token after the commit.
    pub token: T,
    /// Whether the append was recognised as one made before; the rest is then the answer of then.
    pub repeated: bool,
}

/// An append on its way. Await it.
#[derive(Debug)]
#[must_use = "an append runs when it is awaited"]
pub struct Append {
    app: App,
    draft: Draft,
}

/// An append on its way in a transaction of yours. Await it.
#[derive(Debug)]
#[must_use = "an append runs when it is awaited"]
pub struct AppendIn<'c> {
    app: App,
    draft: Draft,
    conn: &'c mut PgConnection,
}

#[derive(Debug)]
struct Draft {
    streams: Vec<StreamEvents>,
    id: Option<Uuid>,
    metadata: Metadata,
}

impl App {
    /// Appends to streams of this app's tenant, as a whole or not at all:
    /// `app.append([stock.events(moved), any(&invoice, line_added)])`.
    ///
    /// If the connection is lost meanwhile the append is repeated, which can't double it. Dropping
    /// the future leaves it done or not done; [`Append::id`] lets you find out by repeating it.
    pub fn append(&self, streams: impl IntoIterator<Item = StreamEvents>) -> Append {
        Append { app: self.clone(), draft: Draft::new(streams) }
    }

    /// The same in a transaction of yours, at any isolation level: the events are there when it
    /// commits, and never were if it does not. A conflict leaves the transaction usable.
    ///
    /// From here to the commit readers of the settled order wait behind this transaction: append
    /// late, commit soon.
    pub fn append_in<'c>(
        &self,
        conn: &'c mut PgConnection,
        streams: impl IntoIterator<Item = StreamEvents>,
    ) -> AppendIn<'c> {
        AppendIn { app: self.clone(), draft: Draft::new(streams), conn }
    }
}

impl Append {
    /// The id under which a repetition is recognised, for ever. The same id for other content is
    /// [`ErrorKind::IdReused`](crate::ErrorKind::IdReused).
    pub fn id(mut self, id: Uuid) -> Self {
        self.draft.id = Some(id);
        self
    }

    /// What is recorded beside each event.
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.draft.metadata = metadata;
        self
    }
}

impl AppendIn<'_> {
    /// As [`Append::id`].
    pub fn id(mut self, id: Uuid) -> Self {
        self.draft.id = Some(id);
        self
    }

    /// As [`Append::metadata`].
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.draft.metadata = metadata;
        self
    }
}

impl Draft {
    fn new(streams: impl IntoIterator<Item = StreamEvents>) -> Self {
        Self { streams: streams.into_iter().collect(), id: None, metadata: Metadata::new() }
    }

    fn request(self, app: &App) -> Result<Request, AppendError> {
        let tenant = app.acts_for();
        let request = Request::new(self.streams.into_iter().map(|s| s.in_tenant(tenant)))?;
        let request = request.metadata(&self.metadata)?;
        Ok(match self.id {
            Some(id) => request.id(id),
            None => request,
        })
    }
}

impl IntoFuture for Append {
    type Output = Result<Appended, AppendError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let _call = self.app.call()?;
            let request = self.draft.request(&self.app)?;
            let appended = self.app.store().append(&request).await?;
            let token = appended.token;
            Ok(Appended::new(appended, token))
        })
    }
}

impl<'c> IntoFuture for AppendIn<'c> {
    type Output = Result<Appended<Pending>, AppendError>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let _call = self.app.call()?;
            let request = self.draft.request(&self.app)?;
            let appended = self.app.store().append_in(self.conn, &request).await?;
            let pending = Pending::new(self.app.store().clone(), appended.token);
            Ok(Appended::new(appended, pending))
        })
    }
}

impl<T> Appended<T> {
    fn new(appended: eventstore::Appended, token: T) -> Self {
        Self { streams: appended.streams, token, repeated: appended.repeated }
    }
}
