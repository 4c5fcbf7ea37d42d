//! One command, from the stream it is for to what became of it.

use foldlog_core::{
    CommandOf, Context, Decider, Error, ErrorKind, Event, Expected, IdOf, Metadata, Position,
    Retry, SnapshotRule, StreamName, Token,
};
use foldlog_eventstore::{
    AppendError, Appended, EventStore, Receipt, Request, Since, StreamAppended, StreamEvents,
};
use uuid::Uuid;

use super::kept::Kept;
use super::prepare::Sends;
use super::{ExecuteError, Executed};
use crate::app::{App, Keeping};
use crate::loaded::{Folded, Reading, Via, expected};

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

/// What came of one decision.
enum Attempt<R, E> {
    /// Events were appended, or a receipt: the store has compared the version.
    Written { executed: Executed<R>, request: Box<Request>, stream: Option<StreamAppended> },
    /// The store refused to.
    Refused(E),
    /// Nothing was to be written: the answer is as good as the state that it rests on.
    Unwritten(Result<Executed<R>, E>),
}

/// Loads, decides and appends; after a conflict reads on and decides again.
pub(super) async fn run<A: Decider, C: CommandOf<A>, S: Sends<A, C>>(
    app: &App,
    (id, rule): (IdOf<A>, Option<&'static SnapshotRule<A>>),
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
    let context = Context::new(id, 0, app.now()).with_command(command_id, metadata);
    // What a transaction of the caller's shows may never have been.
    let keeping = if via.is_own() { app.keeping(rule) } else { Keeping::nothing() };
    let target = Target { store: app.store(), stream, options };
    match target.settle(sent, context, (&keeping, rule), retry, &mut via).await {
        Err(ExecuteError::Store(error)) => target.unfolded::<A, _, _>(error, &mut via).await,
        end => end,
    }
}

/// What stays the same from attempt to attempt.
struct Target<'a, R> {
    store: &'a EventStore,
    stream: StreamName,
    options: Options<R>,
}

impl<R: Send> Target<'_, R> {
    async fn settle<A: Decider, C: CommandOf<A, Reply = R>, S: Sends<A, C>>(
        &self,
        sent: &S,
        mut context: Context<A>,
        (keeping, rule): (&Keeping<'_, A>, Option<&'static SnapshotRule<A>>),
        retry: Retry,
        via: &mut Via<'_>,
    ) -> Result<Executed<R>, ExecuteError<A::Rejection, S::Error>> {
        let reading = Reading { store: self.store, stream: &self.stream, rule };
        let mut known = keeping.recall(&self.stream);
        if !known.is_recalled() {
            known.update(&reading, via).await?;
        }
        let mut attempts = 0;
        loop {
            context = context.with_version(known.folded().version);
            let is_recalled = known.is_recalled();
            let error = match self.attempt(sent, &context, known.folded(), via).await {
                Attempt::Written { executed, request, stream } => {
                    if let Some(stream) =
                        stream.filter(|_| keeping.anything() && !executed.repeated)
                    {
                        let events = request.as_read(self.store, &stream);
                        keeping.keep_appended(&self.stream, known, &events);
                    }
                    return Ok(executed);
                }
                Attempt::Unwritten(end) => {
                    if is_recalled && known.update(&reading, via).await? {
                        continue;
                    }
                    match end {
                        Err(error @ ExecuteError::Conflict { .. }) => error,
                        end => {
                            keeping.keep(&self.stream, known);
                            return end;
                        }
                    }
                }
                Attempt::Refused(ExecuteError::Conflict { .. }) if is_recalled => {
                    // Nobody was quicker: the state was old.
                    known.update(&reading, via).await?;
                    continue;
                }
                Attempt::Refused(error @ ExecuteError::Conflict { .. }) => error,
                Attempt::Refused(error) => return Err(error),
            };
            attempts += 1;
            // An expected version does not come back by waiting.
            let pause = match self.options.expect_version {
                Some(_) => None,
                None => retry.pause_after(attempts, chance()),
            };
            let Some(pause) = pause else { return Err(self.explained(error, via).await?) };
            tracing::debug!(stream = %self.stream, attempts, "a command is decided again");
            tokio::time::sleep(pause).await;
            known.update(&reading, via).await?;
        }
    }

    async fn attempt<A: Decider, C: CommandOf<A, Reply = R>, S: Sends<A, C>>(
        &self,
        sent: &S,
        context: &Context<A>,
        folded: &Folded<A>,
        via: &mut Via<'_>,
    ) -> Attempt<R, ExecuteError<A::Rejection, S::Error>> {
        // Others may be asked for what nobody needs any more.
        if S::LOOKS_UP {
            match self.accepted_before(folded, via).await {
                Ok(Some(executed)) => return Attempt::Unwritten(Ok(executed)),
                Ok(None) => {}
                Err(error) => return Attempt::Refused(error.into()),
            }
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
        let decision = match decided {
            Ok(decision) => decision,
            // A repetition gets its first answer, whatever has become of the stream since.
            Err(error) => {
                return match self.accepted_before(folded, via).await {
                    Ok(Some(executed)) => Attempt::Unwritten(Ok(executed)),
                    Ok(None) => Attempt::Unwritten(Err(error)),
                    Err(failed) => Attempt::Refused(failed.into()),
                };
            }
        };
        let (events, reply) = decision.into_parts();
        if events.is_empty() && self.options.kept.is_none() {
            let (version, token) = (folded.version, self.store.token(folded.position));
            return Attempt::Unwritten(Ok(Executed { reply, version, token, repeated: false }));
        }
        match self.request(&events, &reply, context, folded.version) {
            Ok(request) => match self.write(&request, reply, folded, via).await {
                Ok((executed, stream)) => {
                    Attempt::Written { executed, request: Box::new(request), stream }
                }
                Err(error) => Attempt::Refused(error),
            },
            Err(error) => Attempt::Unwritten(Err(error.into())),
        }
    }

    /// What is to be appended for a decision on a state of this version.
    fn request<A: Decider>(
        &self,
        events: &[A::Event],
        reply: &R,
        context: &Context<A>,
        version: u64,
    ) -> Result<Request, Error> {
        let events = events.iter().map(Event::encode).collect::<Result<Vec<_>, _>>()?;
        let part = StreamEvents::raw(self.stream.clone(), expected(version), events);
        let request = Request::new([part])?.metadata(context.metadata())?;
        let Some(kept) = &self.options.kept else { return Ok(request) };
        let written = kept.write(reply)?;
        Ok(request.id(kept.id).stands_for(&self.meaning()).reply(written))
    }

    /// Appends, and answers with what became of the stream.
    async fn write<A, E, L>(
        &self,
        request: &Request,
        reply: R,
        folded: &Folded<A>,
        via: &mut Via<'_>,
    ) -> Result<(Executed<R>, Option<StreamAppended>), ExecuteError<E, L>> {
        let appended = via.append(self.store, request).await?;
        let token = self.at_or_before(appended.token, folded.position);
        let stream = appended.streams.into_iter().next();
        let version = stream.as_ref().map_or(folded.version, |stream| stream.version);
        match &self.options.kept {
            Some(kept) if appended.repeated => {
                let reply = kept.read(appended.reply.as_deref())?;
                Ok((Executed { reply, version, token, repeated: true }, stream))
            }
            // Recognised without an id, it was this very call, repeated on a lost connection.
            _ => Ok((Executed { reply, version, token, repeated: false }, stream)),
        }
    }

    /// A stream that can't be folded any more, having been closed or cut: a repetition gets its first
    /// answer all the same.
    async fn unfolded<A: Decider, E, L>(
        &self,
        error: Error,
        via: &mut Via<'_>,
    ) -> Result<Executed<R>, ExecuteError<E, L>> {
        if matches!(error.kind(), ErrorKind::Tombstoned | ErrorKind::Truncated)
            && let Some(executed) = self.accepted_before(&Folded::<A>::default(), via).await?
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
