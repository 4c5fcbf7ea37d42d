//! One command, from the stream it is for to what became of it.

use foldlog_core::{
    CommandOf, Context, Decider, Decision, Error, ErrorKind, Event, Expected, IdOf, Metadata,
    Position, Retry, StreamName, Token,
};
use foldlog_eventstore::{
    AppendError, Appended, EventStore, Receipt, Request, Since, StreamEvents,
};
use uuid::Uuid;

use super::kept::Kept;
use super::prepare::Sends;
use super::{ExecuteError, Executed};
use crate::app::App;
use crate::loaded::{Folded, Via, expected};

/// What was asked for besides the command.
pub(super) struct Options<R> {
    pub(super) kept: Option<Kept<R>>,
    pub(super) expect_version: Option<u64>,
    pub(super) metadata: Metadata,
}

impl<R> Default for Options<R> {
    fn default() -> Self {
        Self { kept: None, expect_version: None, metadata: Metadata::new() }
    }
}

/// Loads, decides and appends; after a conflict reads on and decides again.
pub(super) async fn run<A: Decider, C: CommandOf<A>, S: Sends<A, C>>(
    app: &App,
    id: IdOf<A>,
    sent: &S,
    mut options: Options<C::Reply>,
    retry: Retry,
    mut via: Via<'_>,
) -> Result<Executed<C::Reply>, ExecuteError<A::Rejection, S::Error>> {
    let _call = app.call()?;
    app.check_registered::<A>()?;
    let stream = StreamName::of::<A::Event>(app.acts_for(), &id)?;
    let command_id = options.kept.as_ref().map(|kept| kept.id);
    let metadata = std::mem::take(&mut options.metadata);
    let mut context = Context::new(id, 0, app.now()).with_command(command_id, metadata);
    let target = Target { store: app.store(), stream, options };
    let mut folded = Folded::<A>::default();
    let mut attempts = 0;
    loop {
        if let Err(error) = folded.advance(target.store, &mut via, &target.stream).await {
            return target.unfolded(error, &folded, &mut via).await;
        }
        attempts += 1;
        context = context.with_version(folded.version);
        let error = match target.attempt(sent, &context, &folded, &mut via).await {
            Err(error @ ExecuteError::Conflict { .. }) => error,
            end => return end,
        };
        // An expected version does not come back by waiting.
        let pause = match target.options.expect_version {
            Some(_) => None,
            None => retry.pause_after(attempts, chance()),
        };
        let Some(pause) = pause else { return Err(target.explained(error, &mut via).await?) };
        tracing::debug!(stream = %target.stream, attempts, "a command is decided again");
        tokio::time::sleep(pause).await;
    }
}

/// What stays the same from attempt to attempt.
struct Target<'a, R> {
    store: &'a EventStore,
    stream: StreamName,
    options: Options<R>,
}

impl<R: Send> Target<'_, R> {
    async fn attempt<A: Decider, C: CommandOf<A, Reply = R>, S: Sends<A, C>>(
        &self,
        sent: &S,
        context: &Context<A>,
        folded: &Folded<A>,
        via: &mut Via<'_>,
    ) -> Result<Executed<R>, ExecuteError<A::Rejection, S::Error>> {
        // Others may be asked for what nobody needs any more.
        if S::LOOKS_UP
            && let Some(executed) = self.accepted_before(folded, via).await?
        {
            return Ok(executed);
        }
        let decided = match self.options.expect_version {
            Some(version) if version != folded.version => Err(ExecuteError::Conflict {
                stream: self.stream.clone(),
                expected: expected(version),
                actual: folded.version,
                since: Since::default(),
            }),
            _ => sent.decide(&folded.state, context).await,
        };
        match decided {
            Ok(decision) => self.carry_out(decision, context, folded, via).await,
            // A repetition gets its first answer, whatever has become of the stream since.
            Err(error) => match self.accepted_before(folded, via).await? {
                Some(executed) => Ok(executed),
                None => Err(error),
            },
        }
    }

    async fn carry_out<A: Decider, L>(
        &self,
        decision: Decision<A::Event, R>,
        context: &Context<A>,
        folded: &Folded<A>,
        via: &mut Via<'_>,
    ) -> Result<Executed<R>, ExecuteError<A::Rejection, L>> {
        let (events, reply) = decision.into_parts();
        let kept = self.options.kept.as_ref();
        if events.is_empty() && kept.is_none() {
            let token = self.store.token(folded.position);
            return Ok(Executed { reply, version: folded.version, token, repeated: false });
        }
        let events = events.iter().map(Event::encode).collect::<Result<Vec<_>, _>>()?;
        let part = StreamEvents::raw(self.stream.clone(), expected(folded.version), events);
        let mut request = Request::new([part])?.metadata(context.metadata())?;
        if let Some(kept) = kept {
            let written = kept.write(&reply)?;
            request = request.id(kept.id).stands_for(&self.meaning()).reply(written);
        }
        let appended = via.append(self.store, &request).await?;
        let token = self.at_or_before(appended.token, folded.position);
        let version = appended.streams.first().map_or(folded.version, |stream| stream.version);
        match kept {
            Some(kept) if appended.repeated => {
                let reply = kept.read(appended.reply.as_deref())?;
                Ok(Executed { reply, version, token, repeated: true })
            }
            // Recognised without an id, it was this very call, repeated on a lost connection.
            _ => Ok(Executed { reply, version, token, repeated: false }),
        }
    }

    /// A stream that can't be folded any more, having been closed or cut: a repetition gets its first
    /// answer all the same.
    async fn unfolded<A: Decider, E, L>(
        &self,
        error: Error,
        folded: &Folded<A>,
        via: &mut Via<'_>,
    ) -> Result<Executed<R>, ExecuteError<E, L>> {
        if matches!(error.kind(), ErrorKind::Tombstoned | ErrorKind::Truncated)
            && let Some(executed) = self.accepted_before(folded, via).await?
        {
            return Ok(executed);
        }
        Err(error.into())
    }

    /// What the receipt of this command says, if there is one.
    async fn accepted_before<A>(
        &self,
        folded: &Folded<A>,
        via: &mut Via<'_>,
    ) -> Result<Option<Executed<R>>, Error>
    where
        A: Decider,
    {
        let Some(kept) = &self.options.kept else { return Ok(None) };
        let Some(receipt) = via.receipt(self.store, &self.stream, kept.id).await? else {
            return Ok(None);
        };
        if !receipt.stands_for(&self.meaning()) {
            return Err(Error::new(
                ErrorKind::IdReused,
                format!("the command id {} was used before, for something else", kept.id),
            ));
        }
        Ok(Some(Executed {
            reply: kept.read(receipt.reply.as_deref())?,
            version: receipt.versions.first().copied().unwrap_or(folded.version),
            token: self.at_or_before(receipt.token, folded.position),
            repeated: true,
        }))
    }

    /// A conflict that nobody retries, with what came in between.
    async fn explained<E, L>(
        &self,
        error: ExecuteError<E, L>,
        via: &mut Via<'_>,
    ) -> Result<ExecuteError<E, L>, Error> {
        let ExecuteError::Conflict { stream, expected, actual, .. } = error else {
            return Ok(error);
        };
        let after = if let Expected::Exact(version) = expected { version } else { 0 };
        let mut since = Since::default();
        if actual > after {
            match via.since(self.store, &stream, after).await {
                Ok(found) => since = found,
                // The conflict stands without it; but a transaction may be broken off by this.
                Err(error) if via.is_own() => {
                    tracing::debug!(%error, %stream, "a conflict goes unexplained");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ExecuteError::Conflict { stream, expected, actual, since })
    }

    /// What a command id stands for. Not the command itself: it may be written otherwise by a later
    /// program, and is the same command still.
    fn meaning(&self) -> String {
        format!("command on {}", self.stream.as_str())
    }

    /// The token of an append; of the stream as it was loaded, if the append put no event there.
    fn at_or_before(&self, appended: Token, loaded: Position) -> Token {
        if appended.position() == Position::START { self.store.token(loaded) } else { appended }
    }
}

impl Via<'_> {
    async fn append(
        &mut self,
        store: &EventStore,
        request: &Request,
    ) -> Result<Appended, AppendError> {
        match self {
            Self::Own => store.append(request).await,
            Self::In(conn) => store.append_in(conn, request).await,
            #[cfg(feature = "tokio-postgres")]
            Self::Tokio(client) => store.append_in_tokio(*client, request).await,
        }
    }

    async fn since(
        &mut self,
        store: &EventStore,
        stream: &StreamName,
        after_version: u64,
    ) -> Result<Since, Error> {
        match self {
            Self::Own => store.since(stream, after_version).await,
            Self::In(conn) => store.since_in(conn, stream, after_version).await,
            #[cfg(feature = "tokio-postgres")]
            Self::Tokio(client) => store.since_in_tokio(*client, stream, after_version).await,
        }
    }

    fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }

    async fn receipt(
        &mut self,
        store: &EventStore,
        stream: &StreamName,
        id: Uuid,
    ) -> Result<Option<Receipt>, Error> {
        match self {
            Self::Own => store.receipt(stream.tenant(), id).await,
            Self::In(conn) => store.receipt_in(conn, stream.tenant(), id).await,
            #[cfg(feature = "tokio-postgres")]
            Self::Tokio(client) => store.receipt_in_tokio(*client, stream.tenant(), id).await,
        }
    }
}

/// A number in 0..1 that rivals do not share.
pub(crate) fn chance() -> f64 {
    let [.., last] = Uuid::new_v4().into_bytes();
    f64::from(last) / 256.0
}
