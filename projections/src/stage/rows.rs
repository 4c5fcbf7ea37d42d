//! The stage of a view: loads the rows a batch touches, folds, and saves them, each in one statement.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use foldlog_core::{Error, ErrorKind, Fold, RawEvent, Recorded, Route, Row, Tenant};
use foldlog_pg::database;
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::{Failure, Stage, contained};
use crate::table::Table;

pub(crate) struct ViewStage<V> {
    table: Arc<Table>,
    // Whether another class may touch the same row at the same time.
    shared: bool,
    view: std::marker::PhantomData<fn() -> V>,
}

/// A row while it is folded, with the last event it took in.
struct Folding<V> {
    row: Option<V>,
    // The key as a row of JSON: what the statements take keys from.
    key_json: String,
    // Whether there is a row in the table.
    stored: bool,
    position: i64,
    version: i64,
}

/// The rows of a batch, in the order of their keys: the order in which they are locked and written.
type Rows<V> = BTreeMap<(Tenant, <V as foldlog_core::View>::Key), Folding<V>>;

impl<V: Fold> ViewStage<V>
where
    V::By: Route<V>,
{
    pub(crate) fn new(table: Arc<Table>) -> Self {
        let shared = !<V::By as Route<V>>::PARALLEL && V::CLASSES > 1;
        Self { table, shared, view: std::marker::PhantomData }
    }

    async fn load(&self, conn: &mut PgConnection, rows: &mut Rows<V>) -> Result<(), Failure> {
        if !self.shared {
            return self.load_rows(conn, rows, &self.table.load).await.map(drop);
        }
        // A row that does not exist can't be locked, so it is made first. Should another class
        // delete it between the two statements, it is made again.
        loop {
            let (tenants, keys) = arguments(rows, |row| !row.stored);
            sqlx::query(AssertSqlSafe(self.table.insert_missing.clone()))
                .bind(tenants)
                .bind(keys)
                .execute(&mut *conn)
                .await
                .map_err(|e| database("make the rows of a view", e))?;
            let missing = self.load_rows(conn, rows, &self.table.load_locked).await?;
            if missing == 0 {
                return Ok(());
            }
        }
    }

    /// Loads what is not loaded yet; returns how many rows are not there.
    async fn load_rows(
        &self,
        conn: &mut PgConnection,
        rows: &mut Rows<V>,
        statement: &str,
    ) -> Result<usize, Failure> {
        let what = "load the rows of a view";
        let (tenants, keys) = arguments(rows, |row| !row.stored);
        let loaded = sqlx::query(AssertSqlSafe(statement.to_owned()))
            .bind(tenants)
            .bind(keys)
            .fetch_all(conn)
            .await
            .map_err(|e| database(what, e))?;
        let mut wanted: Vec<_> = rows.values_mut().filter(|row| !row.stored).collect();
        let missing = wanted.len() - loaded.len();
        for row in loaded {
            let place: i64 = row.try_get(0).map_err(|e| database(what, e))?;
            let json: &str = row.try_get_unchecked(1).map_err(|e| database(what, e))?;
            let version: i64 = row.try_get(2).map_err(|e| database(what, e))?;
            let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
            if let Some(folding) = wanted.get_mut(place) {
                folding.stored = true;
                // Version 0 is a blank row, made a moment ago only to be locked.
                if version > 0 {
                    folding.row = Some(decode(json)?);
                }
            }
        }
        Ok(missing)
    }

    async fn save(&self, conn: &mut PgConnection, rows: &Rows<V>) -> Result<(), Failure> {
        let (mut tenants, mut json) = (Vec::new(), Vec::new());
        let (mut positions, mut versions) = (Vec::new(), Vec::new());
        for ((tenant, _), folding) in rows {
            if let Some(row) = &folding.row {
                tenants.push(tenant.as_str());
                json.push(encode(row)?);
                positions.push(folding.position);
                versions.push(folding.version);
            }
        }
        if !tenants.is_empty() {
            sqlx::query(AssertSqlSafe(self.table.save.clone()))
                .bind(tenants)
                .bind(json)
                .bind(positions)
                .bind(versions)
                .execute(&mut *conn)
                .await
                .map_err(|e| database("save the rows of a view", e))?;
        }
        let (tenants, keys) = arguments(rows, |row| row.stored && row.row.is_none());
        if !tenants.is_empty() {
            sqlx::query(AssertSqlSafe(self.table.delete.clone()))
                .bind(tenants)
                .bind(keys)
                .execute(conn)
                .await
                .map_err(|e| database("delete rows of a view", e))?;
        }
        Ok(())
    }
}

type Touched<V> = (Recorded<<V as Fold>::Event>, Vec<<V as foldlog_core::View>::Key>);

#[async_trait]
impl<V: Fold> Stage for ViewStage<V>
where
    V::By: Route<V>,
{
    async fn apply(&mut self, conn: &mut PgConnection, events: &[RawEvent]) -> Result<(), Failure> {
        let (events, mut rows) = contained(|| touched::<V>(events))?;
        if rows.is_empty() {
            return Ok(());
        }
        self.load(conn, &mut rows).await?;
        contained(|| {
            fold::<V>(&events, &mut rows);
            Ok(())
        })?;
        self.save(conn, &rows).await
    }
}

/// Decodes a batch, and finds the rows it touches.
fn touched<V: Fold>(events: &[RawEvent]) -> Result<(Vec<Touched<V>>, Rows<V>), Failure>
where
    V::By: Route<V>,
{
    let mut rows = Rows::<V>::new();
    let mut touched = Vec::with_capacity(events.len());
    for raw in events {
        let event: Recorded<V::Event> = raw.typed()?;
        let keys: Vec<V::Key> = <V::By as Route<V>>::keys(&event).into_iter().collect();
        for key in &keys {
            let place = (event.name.tenant().clone(), key.clone());
            if let std::collections::btree_map::Entry::Vacant(vacant) = rows.entry(place) {
                let key_json = encode_key::<V>(key)?;
                vacant.insert(Folding {
                    row: None,
                    key_json,
                    stored: false,
                    position: 0,
                    version: 0,
                });
            }
        }
        touched.push((event, keys));
    }
    Ok((touched, rows))
}

fn fold<V: Fold>(events: &[Touched<V>], rows: &mut Rows<V>) {
    for (event, keys) in events {
        for key in keys {
            let place = (event.name.tenant().clone(), key.clone());
            let Some(folding) = rows.get_mut(&place) else { continue };
            folding.row = apply(folding.row.take(), key, event);
            folding.position = i64::try_from(event.token.position().get()).unwrap_or(i64::MAX);
            folding.version = i64::try_from(event.version).unwrap_or(i64::MAX);
        }
    }
}

/// One event into one row.
pub(crate) fn apply<V: Fold>(
    row: Option<V>,
    key: &V::Key,
    event: &Recorded<V::Event>,
) -> Option<V> {
    let mut row = row.unwrap_or_else(|| V::blank(key.clone()));
    match row.apply(event) {
        Row::Keep => Some(row),
        Row::Delete => None,
    }
}

fn arguments<V: Fold>(
    rows: &Rows<V>,
    which: impl Fn(&Folding<V>) -> bool,
) -> (Vec<&str>, Vec<&str>) {
    rows.iter()
        .filter(|(_, row)| which(row))
        .map(|((tenant, _), row)| (tenant.as_str(), row.key_json.as_str()))
        .unzip()
}

pub(crate) fn encode<V: Fold>(row: &V) -> Result<String, Error> {
    serde_json::to_string(row).map_err(|cause| {
        Error::new(
            ErrorKind::Invalid,
            format!("a row of view {} can't be written as JSON", V::NAME),
        )
        .with_source(cause)
    })
}

/// The columns of a key as a row of JSON, and no others: what is blank in the type, an empty text for
/// one, need not fit the column.
pub(crate) fn encode_key<V: Fold>(key: &V::Key) -> Result<String, Error> {
    let row = encode(&V::blank(key.clone()))?;
    let fields = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(&row);
    fields
        .and_then(|mut fields| {
            fields.retain(|name, _| V::COLUMNS.iter().any(|c| c.key && c.name == name));
            serde_json::to_string(&fields)
        })
        .map_err(|cause| {
            let text = format!("a row of view {} is not written as an object of JSON", V::NAME);
            Error::new(ErrorKind::Invalid, text).with_source(cause)
        })
}

pub(crate) fn decode<V: Fold>(json: &str) -> Result<V, Error> {
    serde_json::from_str(json).map_err(|cause| {
        Error::new(
            ErrorKind::Decode,
            format!(
                "a row of view {} can't be read: its shape changed under version {}; raise the \
                 version",
                V::NAME,
                V::VERSION
            ),
        )
        .with_source(cause)
    })
}
