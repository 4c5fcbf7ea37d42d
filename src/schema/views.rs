//! Which event views there are to be.

use foldlog_core::{Error, ErrorKind, Event};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::column::{columns, payload};
use super::name::{Names, snake};
use super::sql::{self, View};

/// The schema that event views are made in, unless another is named.
const SCHEMA: &str = "foldlog_views";

/// Schemas that are foldlog's or the server's own.
const TAKEN: [&str; 4] = ["foldlog", "foldlog_view", "foldlog_view_next", "information_schema"];

/// The event views of a program: read-only SQL views, one for each type of event. See
/// [`schema`](crate::schema).
#[derive(Clone, Debug)]
#[must_use = "nothing is made before the text is run, or the views are installed"]
pub struct EventViews {
    pub(super) schema: String,
    pub(super) readers: Vec<String>,
    types: Vec<EventType>,
    first_error: Option<(ErrorKind, String)>,
}

#[derive(Clone, Debug)]
struct EventType {
    category: String,
    kind: String,
    /// The JSON Schema of the payload, alone or as a part of that of its category.
    schema: Value,
    is_whole: bool,
}

impl Default for EventViews {
    fn default() -> Self {
        Self::new()
    }
}

impl EventViews {
    /// None yet, in the schema `foldlog_views`.
    pub fn new() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            readers: Vec::new(),
            types: Vec::new(),
            first_error: None,
        }
    }

    /// With those of a category: a view for each variant of `E`, its columns as schemars says that
    /// the variant is written.
    pub fn events<E: Event + JsonSchema>(mut self) -> Self {
        let kinds = match E::kinds() {
            Ok(kinds) => kinds,
            Err(error) => {
                self.first_error.get_or_insert((error.kind(), error.to_string()));
                return self;
            }
        };
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let schema = settings.into_generator().into_root_schema_for::<E>().to_value();
        for kind in kinds {
            self.push(E::CATEGORY, kind, schema.clone(), true);
        }
        self
    }

    /// With that of one type, by the JSON Schema of its payload: for types that this program does not
    /// have, such as those of a file of schemas. Null for a type without a payload.
    pub fn event(mut self, category: &str, kind: &str, payload: &Value) -> Self {
        if category.is_empty() || category.contains(['-', '\0']) || kind.contains('\0') {
            let text =
                format!("{category:?} and {kind:?} can't be a category and a type of events");
            self.first_error.get_or_insert((ErrorKind::Invalid, text));
            return self;
        }
        self.push(category, kind, payload.clone(), false);
        self
    }

    /// In this schema instead. It is made if it is missing.
    pub fn in_schema(mut self, schema: &str) -> Self {
        let refused = schema.is_empty()
            || schema.len() > 63
            || schema.contains('\0')
            || schema.starts_with("pg_")
            || TAKEN.contains(&schema);
        if refused {
            let text =
                format!("{schema:?} can't be the schema of event views: name one of your own");
            self.first_error.get_or_insert((ErrorKind::Invalid, text));
        } else {
            schema.clone_into(&mut self.schema);
        }
        self
    }

    /// Readable by this role, and by those named before. Without it only the owner may read.
    pub fn readable_by(mut self, role: &str) -> Self {
        if role.is_empty() || role.contains('\0') {
            let text = format!("{role:?} can't be a role");
            self.first_error.get_or_insert((ErrorKind::Invalid, text));
        } else {
            self.readers.push(role.to_owned());
        }
        self
    }

    /// The text that makes the views, to be run by psql or a migration of yours: in one transaction,
    /// as often as you like. A view of that name is made anew, whoever made it, and keeps no grants
    /// but those of [`readable_by`](Self::readable_by) and of the schema's default privileges.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a name that can't be, or events that are not in serde's default
    /// form.
    pub fn sql(&self) -> Result<String, Error> {
        Ok(sql::script(&self.schema, &self.readers, &self.views()?))
    }

    /// The views, in the order in which they were given.
    pub(super) fn views(&self) -> Result<Vec<View>, Error> {
        if let Some((kind, text)) = &self.first_error {
            return Err(Error::new(*kind, text));
        }
        let mut names = Names::default();
        let views = self.types.iter().map(|event| {
            let EventType { category, kind, schema, is_whole } = event;
            let wanted = format!("{}_{}", snake(category), snake(kind));
            let mut taken = Names::default();
            for (column, _) in sql::COLUMNS {
                taken.give(column, column);
            }
            let payload = if *is_whole { payload(schema, kind) } else { Some(schema) };
            View {
                name: names.give(&wanted, &format!("{category}-{kind}")),
                category: category.clone(),
                kind: kind.clone(),
                columns: columns(schema, payload.filter(|s| !s.is_null()), &mut taken),
            }
        });
        Ok(views.collect())
    }

    /// A type that was given before stays as it is.
    fn push(&mut self, category: &str, kind: &str, schema: Value, is_whole: bool) {
        if !self.types.iter().any(|event| event.category == category && event.kind == kind) {
            let (category, kind) = (category.to_owned(), kind.to_owned());
            self.types.push(EventType { category, kind, schema, is_whole });
        }
    }
}
