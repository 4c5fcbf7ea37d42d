//! What is made of each row: decided before the first one is imported.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use foldlog_core::{Error, ErrorKind, Metadata, RawEvent, StreamName, Tag, Tenant};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::cqrs_es::Told;
use crate::cqrs_es::form::PayloadForm;
use crate::cqrs_es::report::{CqrsEsCategory, CqrsEsReport, CqrsEsType};
use crate::cqrs_es::source::SourceRow;
use crate::cqrs_es::survey::Found;
use crate::import::HistoricalEvent;
use crate::read::since_epoch;

/// How the rows become events.
pub(super) struct Plan {
    tenant: Tenant,
    first: i64,
    recorded: Option<SystemTime>,
    by_type: HashMap<String, OfType>,
}

/// The tags of an event, by the type that its category is read as.
pub(super) type TagsOf = fn(&RawEvent) -> Result<Vec<Tag>, Error>;

struct OfType {
    category: String,
    tags: Option<TagsOf>,
    form: PayloadForm,
    versions: HashMap<(String, String), u32>,
}

impl Plan {
    /// Decides what was told or can be guessed, and writes into the report what that was and what it
    /// can't be done with.
    pub(super) fn of(
        told: &Told,
        found: &BTreeMap<String, Found>,
        report: &mut CqrsEsReport,
    ) -> Self {
        let mut by_type = HashMap::new();
        let mut categories: BTreeMap<String, &str> = BTreeMap::new();
        for (aggregate_type, of) in found {
            let category = category(told, aggregate_type, report);
            if let Some(other) = categories.insert(category.clone(), aggregate_type) {
                report.problems.push(format!(
                    "aggregate types {other} and {aggregate_type} both become category {category}: \
                     give one of them another category"
                ));
            }
            judge(told, aggregate_type, of, report);
            let form = form(told, aggregate_type, of, report);
            let versions = versions(told, aggregate_type, of, report);
            report.categories.push(CqrsEsCategory {
                aggregate_type: aggregate_type.clone(),
                category: category.clone(),
                streams: of.streams,
                events: of.events,
                first: of.first_us.map(since_epoch),
                last: of.last_us.map(since_epoch),
                types: of
                    .types
                    .iter()
                    .map(|((event_type, event_version), events)| CqrsEsType {
                        event_type: event_type.clone(),
                        event_version: event_version.clone(),
                        schema_version: versions
                            .get(&(event_type.clone(), event_version.clone()))
                            .copied()
                            .unwrap_or(1),
                        events: *events,
                    })
                    .collect(),
            });
            let tags = told.tags.get(category.as_str()).copied();
            by_type.insert(aggregate_type.clone(), OfType { category, tags, form, versions });
        }
        let (tenant, recorded) = (told.tenant.clone(), told.recorded);
        Self { tenant, first: told.first_sequence, recorded, by_type }
    }

    /// The event of a row.
    pub(super) fn event(&self, row: &SourceRow) -> Result<HistoricalEvent, Error> {
        let refused = |why: &str| Error::new(ErrorKind::Invalid, format!("{}: {why}", row.place()));
        let of = self
            .by_type
            .get(&row.aggregate_type)
            .ok_or_else(|| refused("an aggregate type that was not there before"))?;
        let stream = StreamName::new(&self.tenant, &of.category, &row.aggregate_id)?;
        let (kind, payload) = of
            .form
            .part(&row.event_type, &row.payload)
            .ok_or_else(|| refused("its payload does not have the form of the others"))?;
        let schema_version = of
            .versions
            .get(&(row.event_type.clone(), row.event_version.clone()))
            .copied()
            .ok_or_else(|| refused("an event type that was not there before"))?;
        let event =
            HistoricalEvent::new(stream, row.version(self.first), Arc::<str>::from(kind), payload)
                .schema_version(schema_version);
        let recorded = row.recorded_us.map(since_epoch).or(self.recorded);
        let event = match recorded {
            Some(time) => event.recorded(time),
            None => event,
        };
        let event = match metadata(&row.metadata) {
            Some(metadata) => event.metadata(metadata),
            None => event,
        };
        match of.tags {
            Some(tags) => {
                let tags = tags(&event.rehearsed())?;
                Ok(event.tags(tags))
            }
            None => Ok(event),
        }
    }

    pub(super) fn has_tags(&self, aggregate_type: &str) -> bool {
        self.by_type.get(aggregate_type).is_some_and(|of| of.tags.is_some())
    }

    pub(super) fn category(&self, aggregate_type: &str) -> Option<&str> {
        self.by_type.get(aggregate_type).map(|of| of.category.as_str())
    }

    /// Whether a row's payload is what serde makes of the user's enum as it is.
    pub(super) fn is_native(&self, aggregate_type: &str) -> bool {
        self.by_type.get(aggregate_type).is_some_and(|of| of.form == PayloadForm::External)
    }
}

fn category(told: &Told, aggregate_type: &str, report: &mut CqrsEsReport) -> String {
    if let Some(category) = told.categories.get(aggregate_type) {
        return category.clone();
    }
    let category = aggregate_type.replace('-', "_");
    if category == aggregate_type {
        report.guesses.push(format!("aggregate type {aggregate_type} is category {category}"));
    } else {
        report.guesses.push(format!(
            "aggregate type {aggregate_type} becomes category {category}, for a category holds no \
             hyphen"
        ));
    }
    if let Err(error) = StreamName::new(&Tenant::default(), &category, "x") {
        report.problems.push(format!("aggregate type {aggregate_type:?}: {error}"));
    }
    category
}

/// What stands in the way of any import.
fn judge(told: &Told, aggregate_type: &str, of: &Found, report: &mut CqrsEsReport) {
    if of.from_zero > 0 && told.first_sequence != 0 {
        report.problems.push(format!(
            "{} streams of {aggregate_type} begin with sequence 0: say first_sequence(0), and \
             sequence 0 becomes version 1",
            of.from_zero
        ));
    } else if of.misnumbered.count > 0 {
        report.problems.push(format!(
            "{} events of {aggregate_type} don't follow the one before them in their stream ({}): \
             versions have no gaps, so find what is missing",
            of.misnumbered.count,
            of.misnumbered.named.join("; ")
        ));
    }
    let Some(field) = &told.order_by else { return };
    if of.timeless > 0 && told.recorded.is_none() {
        report.problems.push(format!(
            "{} events of {aggregate_type} have no time in the metadata field {field:?}, or none that \
             can be read: say recorded(…) for the time they get; they stand behind the event before \
             them",
            of.timeless
        ));
    }
    if of.backward > 0 {
        report.guesses.push(format!(
            "{} events of {aggregate_type} have an earlier time than one before them in their stream: \
             they keep it, and stand behind that one",
            of.backward
        ));
    }
}

fn form(told: &Told, aggregate_type: &str, of: &Found, report: &mut CqrsEsReport) -> PayloadForm {
    if let Some(form) = told.forms.get(aggregate_type) {
        return form.clone();
    }
    match of.form() {
        Ok((form, guessed)) => {
            if guessed {
                report.guesses.push(format!("payloads of {aggregate_type} are {form}"));
            }
            if matches!(form, PayloadForm::Internal { .. }) {
                report.guesses.push(format!(
                    "payloads of {aggregate_type} with nothing but their type are events without \
                     content, and become null"
                ));
            }
            form
        }
        Err(why) => {
            report
                .problems
                .push(format!("{why}, with payloads({aggregate_type:?}, PayloadForm::…)"));
            PayloadForm::External
        }
    }
}

/// The schema version of each event type and version: the number before the first dot, at least 1.
fn versions(
    told: &Told,
    aggregate_type: &str,
    of: &Found,
    report: &mut CqrsEsReport,
) -> HashMap<(String, String), u32> {
    let mut versions = HashMap::new();
    let mut taken: HashMap<(&str, u32), &str> = HashMap::new();
    let mut guessed: BTreeMap<&str, u32> = BTreeMap::new();
    for (event_type, text) in of.types.keys() {
        let version = told.versions.get(text).copied().or_else(|| {
            let major =
                text.split('.').next().and_then(|major| major.trim().parse::<u32>().ok())?;
            guessed.insert(text, major.max(1));
            Some(major.max(1))
        });
        let Some(version) = version else {
            report.problems.push(format!(
                "event version {text:?} of {aggregate_type} is no number: say schema_version({text:?}, …)"
            ));
            continue;
        };
        if let Some(other) = taken.insert((event_type, version), text) {
            report.problems.push(format!(
                "event versions {other:?} and {text:?} of {event_type} ({aggregate_type}) both become \
                 schema version {version}: say schema_version({text:?}, …), or the same for both if \
                 their payloads have one shape"
            ));
            if told.versions.contains_key(text) && told.versions.contains_key(other) {
                report.problems.pop();
            }
        }
        versions.insert((event_type.clone(), text.clone()), version);
    }
    for (text, version) in guessed {
        report.guesses.push(format!(
            "event version {text:?} of {aggregate_type} is schema version {version}"
        ));
    }
    versions
}

/// cqrs-es keeps a map of texts. What foldlog has a name for keeps it, the rest is the user's.
fn metadata(text: &str) -> Option<Box<RawValue>> {
    let mut metadata = Metadata::new();
    match serde_json::from_str(text).ok()? {
        Value::Object(fields) => {
            let mut user = Map::new();
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("correlation_id", Value::String(id)) => metadata.correlation_id = Some(id),
                    ("causation_id", Value::String(id)) => metadata.causation_id = Some(id),
                    ("traceparent", Value::String(text)) => metadata.traceparent = Some(text),
                    ("tracestate", Value::String(text)) => metadata.tracestate = Some(text),
                    (_, value) => drop(user.insert(name, value)),
                }
            }
            metadata.user = user;
        }
        Value::Null => return None,
        other => metadata = metadata.with("metadata", other),
    }
    RawValue::from_string(metadata.encode()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_keeps_its_names_or_is_the_users() {
        let of = |text| metadata(text).map(|raw| raw.get().to_owned());
        assert_eq!(of("{}"), None);
        assert_eq!(of("null"), None);
        assert_eq!(
            of(r#"{"correlation_id":"c","time":"t","causation_id":7}"#).unwrap(),
            r#"{"correlation_id":"c","user":{"causation_id":7,"time":"t"}}"#
        );
        assert_eq!(of("[1]").unwrap(), r#"{"user":{"metadata":[1]}}"#);
    }
}
