//! Bulk import from cqrs-es: its table of events, as it is.

mod form;
mod plan;
mod report;
mod source;
mod survey;
mod verify;

use std::collections::BTreeMap;
use std::time::SystemTime;

use foldlog_core::{Decider, Error, Event, Tenant};
use foldlog_pg::{Db, Endpoint, Variables};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use crate::cqrs_es::plan::{Plan, TagsOf};
use crate::cqrs_es::source::{Source, SourceRow};
use crate::cqrs_es::survey::{Found, survey};
use crate::cqrs_es::verify::Verify;
use crate::import::{Import, ImportError, ImportProgress, Tell};
use crate::store::EventStore;

pub use form::PayloadForm;
pub use report::{CqrsEsCategory, CqrsEsReport, CqrsEsType};

/// An import of the events that cqrs-es has stored in PostgreSQL (crate `postgres-es`).
///
/// An aggregate type becomes a category, an aggregate id the key of a stream, a sequence a version. The
/// payload is taken out of the name of its variant, which foldlog keeps beside it. What has to be
/// guessed for that is in the report; what can be read in two ways is not guessed but refused, until it
/// is told.
#[must_use = "nothing is read before it is run"]
pub struct CqrsEs<'p> {
    endpoint: Endpoint,
    table: String,
    name: Option<String>,
    dry_run: bool,
    batch_events: Option<usize>,
    told: Told,
    verify: Vec<Verify>,
    progress: Option<Tell<'p>>,
}

/// What need not be guessed.
pub(crate) struct Told {
    tenant: Tenant,
    order_by: Option<String>,
    first_sequence: i64,
    recorded: Option<SystemTime>,
    categories: BTreeMap<String, String>,
    forms: BTreeMap<String, PayloadForm>,
    versions: BTreeMap<String, u32>,
    tags: BTreeMap<&'static str, TagsOf>,
}

/// Why an import from cqrs-es did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CqrsEsError {
    /// Something is in the way, as the report says, and nothing was imported.
    #[error("{}", _0.problems.join("\n"))]
    Refused(Box<CqrsEsReport>),
    /// A stream of the sample does not agree with the table, or can't be folded. In a dry run nothing
    /// was imported.
    #[error("{why}")]
    Unverified {
        /// What was found and done.
        report: Box<CqrsEsReport>,
        /// Where it does not agree.
        #[source]
        why: Error,
    },
    /// The import ended early.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The table could not be read.
    #[error(transparent)]
    Source(#[from] Error),
}

impl<'p> CqrsEs<'p> {
    /// From the database of a URL, which may be any PostgreSQL, also a standby.
    ///
    /// # Errors
    ///
    /// A URL that can't be read.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Ok(Self::from_endpoint(Endpoint::parse(url, &Variables::from_process())?))
    }

    /// From a database that is connected to, which may be the store's own.
    pub fn from_db(db: &Db) -> Self {
        Self::from_endpoint(db.direct().clone())
    }

    fn from_endpoint(endpoint: Endpoint) -> Self {
        let told = Told {
            tenant: Tenant::default(),
            order_by: None,
            first_sequence: 1,
            recorded: None,
            categories: BTreeMap::new(),
            forms: BTreeMap::new(),
            versions: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        Self {
            endpoint,
            table: "events".to_owned(),
            name: None,
            dry_run: false,
            batch_events: None,
            told,
            verify: Vec::new(),
            progress: None,
        }
    }

    /// The table, if it is not `events`; with its schema if that is not in the search path.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    /// The name of the [`Import`], by which it goes on. `cqrs-es` and the table, unless it is said.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whose streams they become, if not the default tenant's.
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.told.tenant = tenant;
        self
    }

    /// The category that an aggregate type becomes; otherwise it keeps its name, a hyphen becoming `_`.
    pub fn category(mut self, aggregate_type: &str, category: &str) -> Self {
        self.told.categories.insert(aggregate_type.to_owned(), category.to_owned());
        self
    }

    /// How the payloads of an aggregate type are written; otherwise that is told from them.
    pub fn payloads(mut self, aggregate_type: &str, form: PayloadForm) -> Self {
        self.told.forms.insert(aggregate_type.to_owned(), form);
        self
    }

    /// The schema version of an event version; otherwise the number before its first dot, at least 1.
    pub fn schema_version(mut self, event_version: &str, schema_version: u32) -> Self {
        self.told.versions.insert(event_version.to_owned(), schema_version);
        self
    }

    /// The first sequence of a stream, which becomes version 1: 1, as cqrs-es counts.
    pub fn first_sequence(mut self, sequence: i64) -> Self {
        self.told.first_sequence = sequence;
        self
    }

    /// The metadata field that holds the time of an event: a date and time, or seconds or milliseconds
    /// since 1970. Events get it, and their positions in its order. Otherwise they come stream by
    /// stream, for cqrs-es has no order of all events, and get the time at which the import began.
    pub fn order_by_metadata(mut self, field: impl Into<String>) -> Self {
        self.told.order_by = Some(field.into());
        self
    }

    /// The time of events that have none.
    pub fn recorded(mut self, time: SystemTime) -> Self {
        self.told.recorded = Some(time);
        self
    }

    /// Gives the events of a category the tags that this type gives them: each is decoded for it.
    /// Without it they have none, and no boundary finds them.
    pub fn tags_of<E: Event>(mut self) -> Self {
        self.told.tags.insert(E::CATEGORY, |raw| E::decode(raw)?.tags());
        self
    }

    /// Reads and checks everything, and stores nothing.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Reads so many streams of an aggregate again, when all is imported: they must have the events of
    /// the table, each must mean what it means when it is read as cqrs-es reads it, and the
    /// aggregate is folded from them. In a dry run, from the table alone.
    pub fn verify<A: Decider>(mut self, sample: usize) -> Self
    where
        A::Event: DeserializeOwned,
    {
        self.verify.push(Verify::of::<A>(sample));
        self
    }

    /// As [`Import::batch_events`].
    pub fn batch_events(mut self, events: usize) -> Self {
        self.batch_events = Some(events);
        self
    }

    /// Is told after each batch how far the import has come.
    pub fn on_progress(mut self, progress: impl FnMut(&ImportProgress) + Send + 'p) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Reads the table twice, in one snapshot: to see what is there, and to import it. What comes in
    /// later is not in it; stop the program that writes, or run again: see [`Import::run`].
    ///
    /// # Errors
    ///
    /// [`CqrsEsError`]. Dropping the future leaves whole batches.
    pub async fn run(mut self, store: &EventStore) -> Result<CqrsEsReport, CqrsEsError> {
        // Boxed, each of them, for they would make the future of everybody who calls this large.
        let mut source = Box::pin(Source::open(&self.endpoint, &self.table)).await?;
        let field = self.told.order_by.clone();
        let mut report = CqrsEsReport::new(self.dry_run, &self.table, self.order());
        let sample = self.verify.iter().map(|verify| verify.sample).max().unwrap_or_default();
        let rows = source.rows(false, field.as_deref()).await?;
        let found = survey(rows, self.told.first_sequence, sample).await?;
        let plan = Plan::of(&self.told, &found, &mut report);
        if !report.problems.is_empty() {
            return self.refused(report);
        }
        let name = self.name.take().unwrap_or_else(|| format!("cqrs-es {}", self.table));
        let rows = source.rows(field.is_some(), field.as_deref()).await?;
        let events = rows.map(|row| plan.event(&SourceRow::read(&row?)?));
        let mut import: Import<'_> = store.import(name);
        if let Some(events) = self.batch_events {
            import = import.batch_events(events);
        }
        if self.dry_run {
            if let Err(error) = Box::pin(import.check(events)).await {
                report.problems.push(told(&error));
                return self.refused(report);
            }
        } else {
            let import = match self.progress.take() {
                Some(progress) => import.on_progress(progress),
                None => import,
            };
            let imported = Box::pin(import.run(events)).await?;
            (report.imported, report.skipped) = (imported.imported, imported.skipped);
        }
        let target = (!self.dry_run).then_some(store);
        let verified = self.verified(&mut source, &plan, &found, target, &mut report);
        match Box::pin(verified).await {
            Ok(()) => Ok(report),
            Err(why) => Err(CqrsEsError::Unverified { report: Box::new(report), why }),
        }
    }

    fn order(&self) -> String {
        match &self.told.order_by {
            Some(field) => format!("in the order of the metadata field {field:?}"),
            None => "stream by stream, in the order of their names, for no field holds the time: \
                     across streams it says nothing of what came first"
                .to_owned(),
        }
    }

    /// A rehearsal tells what is in the way; an import fails for it.
    fn refused(&self, report: CqrsEsReport) -> Result<CqrsEsReport, CqrsEsError> {
        if self.dry_run { Ok(report) } else { Err(CqrsEsError::Refused(Box::new(report))) }
    }

    async fn verified(
        &self,
        source: &mut Source,
        plan: &Plan,
        found: &BTreeMap<String, Found>,
        store: Option<&EventStore>,
        report: &mut CqrsEsReport,
    ) -> Result<(), Error> {
        for verify in &self.verify {
            let types = found.iter().filter(|(aggregate_type, _)| {
                plan.category(aggregate_type) == Some(verify.category)
            });
            for (aggregate_type, found) in types {
                for id in found.sample().take(verify.sample) {
                    let of = (aggregate_type.clone(), id.to_owned());
                    let mut folder = (verify.folder)();
                    verify::stream(source, plan, &of, store, &mut *folder).await?;
                    report.verified += 1;
                }
            }
        }
        Ok(())
    }
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some say their cause themselves.
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

impl std::fmt::Debug for CqrsEs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CqrsEs").field("table", &self.table).finish_non_exhaustive()
    }
}
