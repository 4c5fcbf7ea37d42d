//! One command with a boundary, from what it rests on to what became of it.

use foldlog_core::{
    Decision, Error, ErrorKind, Metadata, Models, Position, Query, RawEvent, Retry, Tenant,
};
use foldlog_eventstore::{
    AppendError, Appended, Condition, EventStore, Receipt, Request, Since, StreamEvents,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Done;
use crate::app::App;
use crate::boundary::{Boundary, BoundaryContext};
use crate::execute::{ExecuteError, Kept, chance};

/// What a command id stands for. Not the command itself: it may be written otherwise by a later
/// program, and is the same command still.
const MEANING: &str = "decision";

/// What was asked for besides the command.
pub(super) struct Options<R> {
    pub(super) kept: Option<Kept<R>>,
    pub(super) metadata: Metadata,
}

impl<R> Default for Options<R> {
    fn default() -> Self {
        Self { kept: None, metadata: Metadata::new() }
    }
}

/// On which connection: any of the pool's, or the one of the caller's transaction.
pub(super) enum Via<'c> {
    Own,
    In(&'c mut PgConnection),
}

/// Reads, decides and appends; after a conflict reads on and decides again.
pub(super) async fn run<B: Boundary>(
    app: &App,
    command: &B,
    mut options: Options<B::Reply>,
    retry: Retry,
    mut via: Via<'_>,
) -> Result<Done<B::Reply>, ExecuteError<B::Rejection>> {
    let _call = app.call()?;
    let command_id = options.kept.as_ref().map(|kept| kept.id);
    let metadata = std::mem::take(&mut options.metadata);
    let context = BoundaryContext::new(app.now()).with_command(command_id, metadata);
    let target = Target { store: app.store(), tenant: app.acts_for(), kept: options.kept };
    let about = command.about();
    let question = Question::new(B::Models::queries(&about))?;
    let mut known = Known::<B::Models>::default();
    let mut attempts = 0;
    loop {
        let condition = known.advance(&target, &mut via, &question, &about).await?;
        attempts += 1;
        let error = match command.decide(&known.models, &context) {
            Ok(decision) => {
                let end = known.last.max(condition.settled());
                match target.carry_out(decision, &context, &condition, end, &mut via).await {
                    Ok(done) => return Ok(done),
                    Err(error) => error,
                }
            }
            // A repetition gets its first answer, whatever has happened since.
            Err(rejection) => {
                return match target.accepted_before(&mut via).await? {
                    Some(done) => Ok(done),
                    None => Err(ExecuteError::Rejected(rejection)),
                };
            }
        };
        if !matches!(error, AppendError::ConditionFailed { .. } | AppendError::Conflict { .. }) {
            return Err(error.into());
        }
        let Some(pause) = retry.pause_after(attempts, chance()) else {
            return Err(target.explained(error, &condition, &mut via).await?);
        };
        tracing::debug!(%error, attempts, "a command is decided again");
        known.go_on_from(&condition);
        tokio::time::sleep(pause).await;
    }
}

/// The queries of the models as one, and whose each item is.
struct Question {
    query: Query,
    model_of: Vec<usize>,
}

impl Question {
    fn new(queries: Vec<Query>) -> Result<Self, Error> {
        let mut question = Self { query: Query::default(), model_of: Vec::new() };
        for (model, query) in queries.into_iter().enumerate() {
            let items = query.items()?.len();
            question.model_of.resize(question.model_of.len() + items, model);
            question.query = question.query.or(query);
        }
        Ok(question)
    }
}

/// The models, and how far they have come.
#[derive(Default)]
struct Known<M> {
    models: M,
    // Everything up to there is in them, and nothing beyond.
    settled: Position,
    last: Position,
}

impl<M: Models> Known<M> {
    async fn advance(
        &mut self,
        target: &Target<'_, impl Sized>,
        via: &mut Via<'_>,
        question: &Question,
        about: &M::About,
    ) -> Result<Condition, Error> {
        let Target { store, tenant, .. } = target;
        let (models, last) = (&mut self.models, &mut self.last);
        let mut of = Vec::new();
        let take = |raw: &RawEvent, items: &[usize]| {
            of.clear();
            of.extend(items.iter().filter_map(|item| question.model_of.get(*item).copied()));
            *last = raw.position();
            models.evolve(raw, &of, about)
        };
        match via {
            Via::Own => store.read_matching(tenant, &question.query, self.settled, take).await,
            Via::In(conn) => {
                let conn = &mut **conn;
                store.read_matching_in(conn, tenant, &question.query, self.settled, take).await
            }
        }
    }

    /// Before the models are read again: on top of what they know, if that was settled. If not, an
    /// event may come to light between those that they have taken in.
    fn go_on_from(&mut self, condition: &Condition) {
        if condition.is_settled() {
            self.settled = condition.settled();
        } else {
            *self = Self::default();
        }
    }
}

/// What stays the same from attempt to attempt.
struct Target<'a, R> {
    store: &'a EventStore,
    tenant: &'a Tenant,
    kept: Option<Kept<R>>,
}

impl<R> Target<'_, R> {
    async fn carry_out(
        &self,
        decision: Decision<StreamEvents, R>,
        context: &BoundaryContext,
        condition: &Condition,
        end: Position,
        via: &mut Via<'_>,
    ) -> Result<Done<R>, AppendError> {
        let (streams, reply) = decision.into_parts();
        if streams.is_empty() {
            if let Some(done) = self.accepted_before(via).await? {
                return Ok(done);
            }
            let token = self.store.token(end);
            return Ok(Done { reply, streams: Vec::new(), token, repeated: false });
        }
        let request = Request::new(streams.into_iter().map(|s| s.in_tenant(self.tenant)))?;
        let mut request = request.metadata(context.metadata())?.condition(condition.clone())?;
        if let Some(kept) = &self.kept {
            let written = kept.write(&reply)?;
            request = request.id(kept.id).stands_for(MEANING).reply(written);
        }
        let Appended { streams, token, repeated, reply: first } = match via {
            Via::Own => self.store.append(&request).await,
            Via::In(conn) => self.store.append_in(conn, &request).await,
        }?;
        match &self.kept {
            Some(kept) if repeated => {
                Ok(Done { reply: kept.read(first.as_deref())?, streams, token, repeated })
            }
            // Recognised without an id, it was this very call, repeated on a lost connection.
            _ => Ok(Done { reply, streams, token, repeated: false }),
        }
    }

    /// What the receipt of this command says, if there is one.
    async fn accepted_before(&self, via: &mut Via<'_>) -> Result<Option<Done<R>>, Error> {
        let Some(kept) = &self.kept else { return Ok(None) };
        let Some(receipt) = self.receipt(via, kept.id).await? else { return Ok(None) };
        if !receipt.stands_for(MEANING) {
            return Err(Error::new(
                ErrorKind::IdReused,
                format!("the command id {} was used before, for something else", kept.id),
            ));
        }
        Ok(Some(Done {
            reply: kept.read(receipt.reply.as_deref())?,
            streams: Vec::new(),
            token: receipt.token,
            repeated: true,
        }))
    }

    async fn receipt(&self, via: &mut Via<'_>, id: Uuid) -> Result<Option<Receipt>, Error> {
        match via {
            Via::Own => self.store.receipt(self.tenant, id).await,
            Via::In(conn) => self.store.receipt_in(conn, self.tenant, id).await,
        }
    }

    /// A conflict that nobody retries, with what came in between.
    async fn explained<E>(
        &self,
        error: AppendError,
        condition: &Condition,
        via: &mut Via<'_>,
    ) -> Result<ExecuteError<E>, Error> {
        let AppendError::ConditionFailed { position } = error else { return Ok(error.into()) };
        let since = match via {
            Via::Own => self.store.since_condition(condition).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "a conflict goes unexplained");
                Since::default()
            }),
            // The transaction may be broken off by this.
            Via::In(conn) => self.store.since_condition_in(conn, condition).await?,
        };
        Ok(ExecuteError::Overtaken { position, since })
    }
}
