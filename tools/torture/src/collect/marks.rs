//! The marks that are stored, how the rows of streams stand, and what is kept of states.

use foldlog_core::Error;
use foldlog_pg::database;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::book::Book;
use crate::domain::unsigned;
use crate::history::{Act, Standing, StoredMark};
use crate::marker::number_of;

pub(super) async fn marks(book: &Book, conn: &mut PgConnection) -> Result<Vec<StoredMark>, Error> {
    let failed = |e| database("read all marks", e);
    let rows = sqlx::query(include_str!("../../sql/mark_read.sql")).fetch_all(conn).await;
    let rows = rows.map_err(failed)?;
    rows.iter().map(|row| stored(book, row)).collect::<Result<_, _>>().map_err(failed)
}

fn stored(book: &Book, row: &PgRow) -> Result<StoredMark, sqlx::Error> {
    let (stream, order): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
    let (act, reason): (String, String) = (row.try_get(2)?, row.try_get(5)?);
    let before = unsigned(row.try_get::<Option<i64>, _>(3)?.unwrap_or(0));
    let summary = row.try_get::<Option<bool>, _>(4)?.unwrap_or(false);
    Ok(StoredMark {
        stream: book.stream(&stream),
        order: unsigned(i64::from(order)),
        act: match act.as_str() {
            "archive" => Act::Archive,
            "unarchive" => Act::Unarchive,
            "tombstone" => Act::Tombstone,
            _ => Act::Truncate { before, summary },
        },
        number: number_of(&reason),
    })
}

pub(super) async fn standings(
    book: &Book,
    conn: &mut PgConnection,
) -> Result<Vec<Standing>, Error> {
    let failed = |e| database("read how streams stand", e);
    let rows = sqlx::query(include_str!("../../sql/standing_read.sql")).fetch_all(conn).await;
    let standing = |row: &PgRow| {
        let (stream, state): (String, i16) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Standing {
            stream: book.stream(&stream),
            archived: state == 1,
            tombstoned: state == 2,
            first: unsigned(row.try_get(2)?),
            summary: row.try_get(3)?,
        })
    };
    let rows = rows.map_err(failed)?;
    rows.iter().map(standing).collect::<Result<_, _>>().map_err(failed)
}

pub(super) async fn snapshots(conn: &mut PgConnection) -> Result<u64, Error> {
    let count = sqlx::query_scalar(include_str!("../../sql/snapshot_count.sql"));
    count.fetch_one(conn).await.map(unsigned).map_err(|e| database("count snapshots", e))
}
