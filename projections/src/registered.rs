//! Registered projections: what a worker needs to know of one, whatever its type.

use std::sync::{Arc, Mutex, PoisonError};

use foldlog_core::{Column, Error, ErrorKind, EventSet, Filter, Fold, Route, SliceClass};
use foldlog_pg::database;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::checkpoint::Name;
use crate::handler::Projection;
use crate::stage::{HandlerStage, Stage, ViewStage};
use crate::table::Table;

/// How the definition of a batch handler begins.
const BY_HAND: &str = "by hand";

/// A projection with its type forgotten: a view or a batch handler.
pub struct Registered {
    pub(crate) name: Name,
    pub(crate) classes: u16,
    pub(crate) categories: &'static [&'static str],
    // Compared with what the database knows under the same version.
    definition: String,
    pub(crate) table: Option<Arc<Table>>,
    stage: Box<dyn Fn() -> Box<dyn Stage> + Send + Sync>,
}

impl Registered {
    /// A view.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for a name or column that PostgreSQL could only take quoted; a view
    /// that derives `View` has none.
    pub fn view<V: Fold>() -> Result<Self, Error>
    where
        V::By: Route<V>,
    {
        let table = Arc::new(Table::new(V::NAME, V::COLUMNS)?);
        let parallel = <V::By as Route<V>>::PARALLEL;
        Ok(Self {
            name: Name { name: V::NAME, version: version(V::NAME, V::VERSION)? },
            classes: classes(V::NAME, V::CLASSES)?,
            categories: <V::Event as EventSet>::CATEGORIES,
            definition: definition(
                V::COLUMNS,
                <V::Event as EventSet>::CATEGORIES,
                if parallel { "by stream" } else { "by keys" },
                V::CLASSES,
            ),
            table: Some(table.clone()),
            stage: Box::new(move || Box::new(ViewStage::<V>::new(table.clone()))),
        })
    }

    /// A batch handler; it is cloned for each slice class that this process works on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for an empty name, or a number of classes other than 1, 4 or 16.
    pub fn projection<P: Projection + Clone>(handler: P) -> Result<Self, Error> {
        let categories = <P::Event as EventSet>::CATEGORIES;
        // Only to clone from it: a handler need not be `Sync`.
        let handler = Mutex::new(handler);
        Ok(Self {
            name: Name { name: P::NAME, version: version(P::NAME, P::VERSION)? },
            classes: classes(P::NAME, P::CLASSES)?,
            categories,
            definition: definition(&[], categories, BY_HAND, P::CLASSES),
            table: None,
            stage: Box::new(move || {
                let handler = handler.lock().unwrap_or_else(PoisonError::into_inner);
                Box::new(HandlerStage::new(handler.clone()))
            }),
        })
    }

    /// The name it is registered under.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name.name
    }

    pub(crate) fn stage(&self) -> Box<dyn Stage> {
        (self.stage)()
    }

    pub(crate) fn filter(&self, class: SliceClass) -> Filter {
        Filter::all().categories(self.categories).class(class)
    }

    /// Makes its table and checkpoints, or finds them as they should be.
    pub(crate) async fn set_up(&self, conn: &mut PgConnection) -> Result<(), Error> {
        let what = || format!("set up the projection {}", self.name());
        let mut tx = conn.begin().await.map_err(|e| database(what(), e))?;
        lock(&mut tx, self.name()).await?;
        if !self.is_live(&mut tx).await? {
            self.begin(&mut tx).await?;
        }
        tx.commit().await.map_err(|e| database(what(), e))
    }

    /// Whether the database has this version at work; an error if it can't stand beside what the
    /// database has. Changes nothing.
    pub(crate) async fn is_live(&self, conn: &mut PgConnection) -> Result<bool, Error> {
        let Name { name, version } = self.name;
        let mut is_live = false;
        for known in at_work(conn, name).await? {
            if known.version > version {
                return Err(older(name, version, known.version));
            }
            if known.version == version {
                if known.definition != self.definition {
                    return Err(changed(name, version));
                }
                is_live = true;
            }
        }
        Ok(is_live)
    }

    /// Begins this version at the first event, in place of earlier ones.
    async fn begin(&self, conn: &mut PgConnection) -> Result<(), Error> {
        let Name { name, version } = self.name;
        let what = || format!("begin version {version} of the projection {name}");
        if let Some(table) = &self.table {
            for statement in [&table.drop, &table.create] {
                sqlx::query(AssertSqlSafe(statement.clone()))
                    .execute(&mut *conn)
                    .await
                    .map_err(|e| database(what(), e))?;
            }
        }
        // Behind the table, for a worker locks the two in this order.
        end(&mut *conn, name, i64::from(version), "superseded").await?;
        sqlx::query(include_str!("../sql/projection_insert.sql"))
            .bind(name)
            .bind(version)
            .bind(&self.definition)
            .execute(&mut *conn)
            .await
            .map_err(|e| database(what(), e))?;
        sqlx::query(include_str!("../sql/checkpoint_insert.sql"))
            .bind(name)
            .bind(version)
            .bind(i32::from(self.classes))
            .execute(conn)
            .await
            .map_err(|e| database(what(), e))?;
        Ok(())
    }
}

/// Ends a projection: its workers are fenced, its read model and progress are thrown away.
pub(crate) async fn retire(conn: &mut PgConnection, name: &str) -> Result<(), Error> {
    let what = || format!("retire the projection {name}");
    let mut tx = conn.begin().await.map_err(|e| database(what(), e))?;
    lock(&mut tx, name).await?;
    let known = at_work(&mut tx, name).await?;
    // A batch handler may have any name, and made its tables itself.
    if known.iter().any(|known| !known.definition.starts_with(BY_HAND)) {
        let table = Table::drop_statement(name)?;
        let dropped = sqlx::query(AssertSqlSafe(table)).execute(&mut *tx).await;
        dropped.map_err(|e| database(what(), e))?;
    }
    // Behind the table, for a worker locks the two in this order.
    end(&mut tx, name, i64::MAX, "retired").await?;
    tx.commit().await.map_err(|e| database(what(), e))
}

/// A version of a projection that the database knows.
struct Known {
    version: i32,
    definition: String,
}

/// The versions of a projection that are at work, not superseded or retired.
async fn at_work(conn: &mut PgConnection, name: &str) -> Result<Vec<Known>, Error> {
    let what = || format!("look up the projection {name}");
    let rows = sqlx::query(include_str!("../sql/projection_read.sql"))
        .bind(name)
        .fetch_all(conn)
        .await
        .map_err(|e| database(what(), e))?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        let read = || Ok((row.try_get("version")?, row.try_get("definition")?, row.try_get(2)?));
        let (version, definition, state): (_, _, String) =
            read().map_err(|e| database(what(), e))?;
        if state == "live" || state == "building" {
            known.push(Known { version, definition });
        }
    }
    Ok(known)
}

async fn lock(conn: &mut PgConnection, name: &str) -> Result<(), Error> {
    sqlx::query(include_str!("../sql/projection_lock.sql"))
        .bind(name)
        .execute(conn)
        .await
        .map_err(|e| database(format!("lock the projection {name}"), e))?;
    Ok(())
}

async fn end(conn: &mut PgConnection, name: &str, below: i64, state: &str) -> Result<(), Error> {
    sqlx::query(include_str!("../sql/projection_end.sql"))
        .bind(name)
        .bind(below)
        .bind(state)
        .execute(conn)
        .await
        .map_err(|e| database(format!("end the projection {name}"), e))?;
    Ok(())
}

fn definition(columns: &[Column], categories: &[&str], by: &str, classes: u16) -> String {
    let mut text = format!("{by}, {classes} classes, of {}", categories.join(" "));
    for column in columns {
        let key = if column.key { " key" } else { "" };
        text.push_str(&format!("; {} {}{key}", column.name, column.sql_type));
    }
    text
}

fn version(name: &str, version: u32) -> Result<i32, Error> {
    i32::try_from(version).ok().filter(|version| *version >= 1).ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            format!("projection {name} has version {version}: versions count from 1"),
        )
    })
}

fn classes(name: &str, classes: u16) -> Result<u16, Error> {
    if name.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "a projection needs a name"));
    }
    if matches!(classes, 1 | 4 | 16) {
        return Ok(classes);
    }
    Err(Error::new(
        ErrorKind::Invalid,
        format!("projection {name} has {classes} slice classes: choose 1, 4 or 16"),
    ))
}

fn changed(name: &str, version: i32) -> Error {
    Error::new(
        ErrorKind::Setup,
        format!(
            "projection {name} is not defined as the database knows version {version} of it: its \
             columns, key, categories or classes changed. Raise its version, and it is built anew; \
             nothing was changed"
        ),
    )
}

fn older(name: &str, version: i32, stored: i32) -> Error {
    Error::new(
        ErrorKind::Setup,
        format!(
            "projection {name} is at version {stored} in the database, and this program has version \
             {version}: deploy the newer program, or retire the projection to go back"
        ),
    )
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered")
            .field("name", &self.name)
            .field("definition", &self.definition)
            .finish_non_exhaustive()
    }
}
