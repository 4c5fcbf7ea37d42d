//! Undoing everything that faults did, whatever became of them.

use std::time::Duration;

use tokio::time::sleep;

use super::{prepared, setting};
use crate::field::{APPLICATION, Field, Missed};

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
        self.end_own_sessions().await?;
        self.forget_settings().await?;
        let mut left = self.insist(async |session| prepared::left(session).await).await?;
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
        self.insist(async |session| {
            let end = include_str!("../../sql/session_own_terminate.sql");
            while sqlx::query_scalar::<_, i64>(end)
                .bind(APPLICATION)
                .fetch_one(&mut *session)
                .await?
                > 0
            {
                sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        })
        .await
    }

    async fn forget_settings(&self) -> Result<(), Missed> {
        let list = include_str!("../../sql/database_setting_list.sql");
        let set: Vec<String> = self
            .insist(async |session| {
                let names = sqlx::query_scalar(list).bind(&self.database);
                Ok(names.fetch_all(session).await?)
            })
            .await?;
        for name in setting::SETTINGS {
            if set.iter().any(|known| known == name) {
                setting::reset(self, name).await?;
            }
        }
        Ok(())
    }
}
