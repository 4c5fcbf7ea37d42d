//! Undoing everything that faults did, whatever became of them.

use std::time::Duration;

use tokio::time::sleep;

use super::{prepared, setting};
use crate::field::{APPLICATION, Field, Insistence, Missed};

impl Field {
    /// The server up, the way to it open, all workers there and going, settings as they were, nothing
    /// left prepared. Faults that are still under way must have ended or been dropped before.
    ///
    /// # Errors
    ///
    /// Something can't be healed.
    pub async fn heal(&self) -> Result<(), Missed> {
        self.proxy.heal();
        self.raise().await?;
        self.crew.lock().await.heal().await?;
        let mut insistence = Insistence::default();
        while let Err(missed) = self.tidy_up().await {
            insistence.again(missed).await?;
        }
        Ok(())
    }

    /// What is left in the database.
    async fn tidy_up(&self) -> Result<(), Missed> {
        self.end_own_sessions().await?;
        for name in setting::left(self).await? {
            setting::reset(self, name).await?;
        }
        let mut left = prepared::left(self).await?;
        // And those that were never prepared, or are resolved and not told.
        left.extend(self.wounds().prepared.keys().cloned());
        for gid in left {
            // What may be committed already is told to the history as committed.
            let commit = self.wounds().prepared.get(&gid).is_some_and(|note| note.committing);
            prepared::resolve(self, &gid, commit).await?;
        }
        Ok(())
    }

    async fn raise(&self) -> Result<(), Missed> {
        let mut cluster = self.cluster.lock().await;
        if self.wounds().down {
            // Whoever was killing it was stopped half-way.
            cluster.kill().await;
        }
        if !cluster.is_running() {
            cluster.start().await;
        }
        if self.session().await.is_err() {
            cluster.kill().await;
            cluster.start().await;
        }
        self.wounds().down = false;
        Ok(())
    }

    /// What a dropped fault had begun may go on in its session for a moment.
    async fn end_own_sessions(&self) -> Result<(), Missed> {
        let mut session = self.session().await?;
        loop {
            let end = sqlx::query_scalar(include_str!("../../sql/session_own_terminate.sql"));
            let ended: i64 = end.bind(APPLICATION).fetch_one(&mut session).await?;
            if ended == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}
