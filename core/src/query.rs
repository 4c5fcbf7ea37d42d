//! Queries: which events a decision rests on.

use crate::error::{Error, ErrorKind};
use crate::event::{Event, EventSet};
use crate::tag::{Tag, TagKey};

/// Which events a decision rests on, by their types and tags.
///
/// ```
/// # use foldlog_core::{self as foldlog, Key, Query};
/// # #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
/// # struct CourseId(u32);
/// # impl foldlog::Key for CourseId {
/// #     fn to_key(&self) -> std::borrow::Cow<'_, str> { self.0.to_string().into() }
/// #     fn from_key(key: &str) -> Option<Self> { key.parse().ok().map(Self) }
/// # }
/// # impl foldlog::TagKey for CourseId { const TAG: &'static str = "course"; }
/// # fn query<CourseEvent: foldlog::Event>(course: &CourseId) -> Query {
/// Query::of::<CourseEvent>().tag(course)
/// # }
/// ```
///
/// It is a list of items, joined by [`or`](Self::or): an event matches an item if it is of one of the
/// item's types and carries all of its tags. An item without a tag matches events of its types whatever
/// they are tagged by; a condition on one stops every other append while it is judged, so give each
/// item a tag if there is one.
#[derive(Clone, Debug, Default)]
#[must_use = "a query says what to read"]
pub struct Query {
    items: Vec<QueryItem>,
    // Named when the query is used, so that it can be written in one expression.
    problem: Option<String>,
}

/// One item of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryItem {
    /// The types: `category` for all of a category's, `category-type` for one. None: all types.
    pub types: Vec<String>,
    /// The tags; the first one is locked while a condition on it is judged.
    pub tags: Vec<Tag>,
}

impl Query {
    /// All events of a set.
    pub fn of<E: EventSet>() -> Self {
        let types = E::CATEGORIES.iter().map(ToString::to_string).collect();
        Self { items: vec![QueryItem { types, tags: Vec::new() }], problem: None }
    }

    /// The events of some types, by the names under which they are stored (serde's names of the
    /// variants).
    pub fn kinds<E: Event>(kinds: impl IntoIterator<Item = &'static str>) -> Self {
        let known = E::kinds();
        let mut types = Vec::new();
        let mut problem = None;
        for kind in kinds {
            if let Ok(known) = &known
                && !known.contains(&kind)
            {
                problem = Some(format!(
                    "{kind:?} is no type of event of {}: it has {known:?}",
                    std::any::type_name::<E>()
                ));
            }
            types.push(format!("{}-{kind}", E::CATEGORY));
        }
        if types.is_empty() {
            problem = Some(format!(
                "a query for events of {} names no type: for all of them use `of`",
                std::any::type_name::<E>()
            ));
        }
        Self { items: vec![QueryItem { types, tags: Vec::new() }], problem }
    }

    /// Of these only the events that carry the tag, besides any given before. Put the tag that the
    /// fewest others use first: its lock is the one that decisions take.
    pub fn tag<K: TagKey>(self, key: &K) -> Self {
        match Tag::of(key) {
            Ok(tag) => self.tagged(&tag),
            Err(error) => Self { problem: Some(error.to_string()), ..self },
        }
    }

    /// The same by a tag made by name.
    pub fn tagged(mut self, tag: &Tag) -> Self {
        for item in &mut self.items {
            if !item.tags.contains(tag) {
                item.tags.push(tag.clone());
            }
        }
        self
    }

    /// Also what another query selects.
    pub fn or(mut self, other: Self) -> Self {
        self.items.extend(other.items);
        self.problem = self.problem.or(other.problem);
        self
    }

    /// Its items.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a value that can't be a tag, or a type that does not exist.
    pub fn items(&self) -> Result<&[QueryItem], Error> {
        match &self.problem {
            Some(problem) => Err(Error::new(ErrorKind::Invalid, problem.clone())),
            None => Ok(&self.items),
        }
    }
}

impl QueryItem {
    /// Whether an event of this category, type and tags matches.
    #[must_use]
    pub fn matches(&self, category: &str, kind: &str, tags: &[Tag]) -> bool {
        let of_type = |wanted: &String| match wanted.split_once('-') {
            Some((of, only)) => of == category && only == kind,
            None => wanted == category,
        };
        (self.types.is_empty() || self.types.iter().any(of_type))
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}
