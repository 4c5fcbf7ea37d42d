//! The names of streams by their ids, as readers of the settled order have met them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldlog_core::{Error, ErrorKind, StreamName, Tenant};
use foldlog_pg::database;
use sqlx::postgres::types::Oid;
use sqlx::{PgConnection, Row};

/// How many names a generation holds. There are two, so that what is met again outlives what is not:
/// 20 MB at most for names of 20 bytes.
const GENERATION: usize = 65_536;

/// The names that this process knows, for all its readers.
#[derive(Debug, Default)]
pub(crate) struct StreamNames(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    // Of which life of which server these are the names.
    life: Option<ServerLife>,
    young: HashMap<i64, StreamName>,
    old: HashMap<i64, StreamName>,
}

/// A server from its start to its end, and a database on it. After a failover the ids of streams that
/// were lost are given to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerLife {
    started_us: i64,
    database: Oid,
}

impl ServerLife {
    /// Asks a session.
    pub(crate) async fn of(conn: &mut PgConnection) -> Result<Self, Error> {
        let what = "ask since when the server runs";
        let row = sqlx::query(include_str!("../sql/server_life.sql"))
            .fetch_one(conn)
            .await
            .map_err(|e| database(what, e))?;
        // A time comes as a number of microseconds.
        let read = || Ok(Self { started_us: row.try_get_unchecked(0)?, database: row.try_get(1)? });
        read().map_err(|e| database(what, e))
    }
}

impl StreamNames {
    /// The names of these ids, in their order, asked for on a session of this life where they are not
    /// known.
    pub(crate) async fn resolve(
        &self,
        life: ServerLife,
        conn: &mut PgConnection,
        ids: &[i64],
    ) -> Result<Vec<StreamName>, Error> {
        let (mut names, missing) = self.known(life, ids);
        if !missing.is_empty() {
            let learnt = read(conn, &missing).await?;
            for (id, name) in ids.iter().zip(&mut names) {
                if name.is_none() {
                    *name = learnt.get(id).cloned();
                }
            }
            self.learn(life, learnt);
        }
        let found = names.into_iter().zip(ids).map(|(name, id)| name.ok_or_else(|| nameless(*id)));
        found.collect()
    }

    /// What is known of them, and which are not, once each.
    fn known(&self, life: ServerLife, ids: &[i64]) -> (Vec<Option<StreamName>>, Vec<i64>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing = Vec::new();
        let mut names = Vec::with_capacity(ids.len());
        for id in ids {
            let name = if known.life == Some(life) { known.get(*id) } else { None };
            if name.is_none() {
                missing.push(*id);
            }
            names.push(name);
        }
        missing.sort_unstable();
        missing.dedup();
        (names, missing)
    }

    fn learn(&self, life: ServerLife, learnt: HashMap<i64, StreamName>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.life != Some(life) {
            *known = Known { life: Some(life), ..Known::default() };
        }
        for (id, name) in learnt {
            known.keep(id, name);
        }
    }
}

impl Known {
    fn get(&mut self, id: i64) -> Option<StreamName> {
        if let Some(name) = self.young.get(&id) {
            return Some(name.clone());
        }
        let name = self.old.remove(&id)?;
        self.keep(id, name.clone());
        Some(name)
    }

    fn keep(&mut self, id: i64, name: StreamName) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, name);
    }
}

async fn read(conn: &mut PgConnection, ids: &[i64]) -> Result<HashMap<i64, StreamName>, Error> {
    let what = "read the names of streams";
    let rows = sqlx::query(include_str!("../sql/stream_names.sql"))
        .bind(ids)
        .fetch_all(conn)
        .await
        .map_err(|e| database(what, e))?;
    let mut tenant = Tenant::default();
    let mut names = HashMap::with_capacity(rows.len());
    for row in rows {
        let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let (id, of, name): (i64, &str, &str) = read().map_err(|e| database(what, e))?;
        if tenant.as_str() != of {
            tenant = Tenant::new(of)?;
        }
        names.insert(id, StreamName::parse(&tenant, name)?);
    }
    Ok(names)
}

fn nameless(id: i64) -> Error {
    Error::new(ErrorKind::Internal, format!("an event is of stream {id}, which is not there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: ServerLife = ServerLife { started_us: 1, database: Oid(7) };

    fn named(ids: std::ops::Range<i64>) -> HashMap<i64, StreamName> {
        let name = |id| StreamName::parse(&Tenant::default(), &format!("note-{id}")).unwrap();
        ids.map(|id| (id, name(id))).collect()
    }

    #[test]
    fn what_was_learnt_of_one_life_of_a_server_says_nothing_of_another() {
        let names = StreamNames::default();
        names.learn(LIFE, named(0..3));
        assert_eq!(names.known(LIFE, &[2, 9, 0, 9]).1, [9]);
        let later = ServerLife { started_us: 2, ..LIFE };
        assert_eq!(names.known(later, &[2, 0]).1, [0, 2]);
        let elsewhere = ServerLife { database: Oid(8), ..LIFE };
        assert_eq!(names.known(elsewhere, &[2]).1, [2]);
        names.learn(later, named(5..6));
        assert_eq!(names.known(LIFE, &[2]).1, [2]);
        assert_eq!(names.known(later, &[2, 5]).1, [2]);
    }

    #[test]
    fn what_is_met_again_outlives_what_is_not_and_there_is_an_end_to_it() {
        let names = StreamNames::default();
        let step = i64::try_from(GENERATION / 4).unwrap();
        names.learn(LIFE, named(-1..0));
        for round in 0..20 {
            names.learn(LIFE, named(round * step..(round + 1) * step));
            assert!(names.known(LIFE, &[-1]).1.is_empty(), "round {round}");
        }
        assert_eq!(names.known(LIFE, &[0, 20 * step - 1]).1, [0]);
        let known = names.0.lock().unwrap();
        assert!(known.young.len() + known.old.len() <= 2 * GENERATION);
    }
}
