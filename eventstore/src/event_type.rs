//! Event types: their ids in the database, known to the process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use foldlog_core::{Error, ErrorKind};
use foldlog_pg::database;
use sqlx::{PgConnection, Row};

use crate::append::LOCK_WAIT_MS;
use crate::request::Request;

pub(crate) const SCHEMA_VERSION: i32 = 1;

/// The event types this process has met. Appends use only what is committed; a name may stand here
/// for an id that was rolled back or lost, and is then never asked for: ids are drawn at random, so
/// that none is given twice.
#[derive(Debug, Default)]
pub(crate) struct EventTypes(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<String, HashMap<String, i32>>,
    names: HashMap<i32, Arc<TypeName>>,
}

/// An event type by name.
#[derive(Debug)]
pub(crate) struct TypeName {
    pub(crate) name: Arc<str>,
    pub(crate) schema_version: u32,
}

impl EventTypes {
    pub(crate) fn name(&self, id: i32) -> Option<Arc<TypeName>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.names.get(&id).cloned()
    }

    /// Forgets the ids to append with. A failover may have lost what this process knew of.
    pub(crate) fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).ids.clear();
    }

    /// Reads every type from the database, so that each id has its name. Ids to append with are kept
    /// only if `committed`: on a connection in a transaction, its own types may yet be rolled back.
    pub(crate) async fn refresh(
        &self,
        conn: &mut PgConnection,
        committed: bool,
    ) -> Result<(), Error> {
        let what = "read the event types";
        let rows = sqlx::query(include_str!("../sql/event_type_read.sql"))
            .fetch_all(conn)
            .await
            .map_err(|e| database(what, e))?;
        for row in rows {
            let read = || {
                Ok((row.try_get("category")?, row.try_get("name")?, row.try_get("id")?, {
                    let version: i32 = row.try_get("schema_version")?;
                    version
                }))
            };
            let (category, name, id, version): (String, String, i32, i32) =
                read().map_err(|e| database(what, e))?;
            self.keep(&category, &name, version, id, committed);
        }
        Ok(())
    }

    fn keep(&self, category: &str, name: &str, version: i32, id: i32, committed: bool) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if committed && version == SCHEMA_VERSION {
            known.ids.entry(category.to_owned()).or_default().insert(name.to_owned(), id);
        }
        let schema_version = u32::try_from(version).unwrap_or(0);
        known.names.insert(id, Arc::new(TypeName { name: name.into(), schema_version }));
    }

    /// Registers types on a connection of the caller's, and keeps them if `committed`: the caller
    /// must then be outside of a transaction, for a rollback would take the ids back.
    pub(crate) async fn register(
        &self,
        conn: &mut PgConnection,
        category: &str,
        kinds: &[&str],
        committed: bool,
    ) -> Result<HashMap<String, i32>, Error> {
        let what = || format!("register the event types of category {category}");
        let rows = sqlx::query(include_str!("../sql/event_type_register.sql"))
            .bind(committed.then_some(LOCK_WAIT_MS))
            .bind(category)
            .bind(kinds)
            .bind(vec![SCHEMA_VERSION; kinds.len()])
            .fetch_all(conn)
            .await
            .map_err(|e| database(what(), e))?;
        let mut ids = HashMap::new();
        for row in rows {
            let name: String = row.try_get("name").map_err(|e| database(what(), e))?;
            let id: i32 = row.try_get("id").map_err(|e| database(what(), e))?;
            if committed {
                self.keep(category, &name, SCHEMA_VERSION, id, true);
            }
            ids.insert(name, id);
        }
        Ok(ids)
    }

    /// The type ids of a request's events, in order, if all are known, and the categories of all its
    /// streams.
    pub(crate) fn known(&self, request: &Request) -> Option<Vec<i32>> {
        // Under one lock: another append may forget them at any time.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids = Vec::new();
        for part in &*request.streams {
            let category = known.ids.get(part.name.category())?;
            for event in &part.events {
                ids.push(*category.get(event.kind)?);
            }
        }
        Some(ids)
    }

    /// The type ids of a request's events, in order. What is not known is registered on `conn`.
    pub(crate) async fn resolve(
        &self,
        conn: &mut PgConnection,
        request: &Request,
        committed: bool,
    ) -> Result<Vec<i32>, Error> {
        if let Some(known) = self.known(request) {
            return Ok(known);
        }
        let mut ids = Vec::new();
        for part in &*request.streams {
            let category = part.name.category();
            let mut kinds: Vec<&str> = part.events.iter().map(|event| event.kind).collect();
            kinds.sort_unstable();
            kinds.dedup();
            let registered = self.register(&mut *conn, category, &kinds, committed).await?;
            for event in &part.events {
                let id = registered.get(event.kind).copied();
                ids.push(id.ok_or_else(|| without_id(category, event.kind))?);
            }
        }
        Ok(ids)
    }
}

fn without_id(category: &str, kind: &str) -> Error {
    let message = format!("event type {kind} of category {category} was registered without an id");
    Error::new(ErrorKind::Internal, message)
}
