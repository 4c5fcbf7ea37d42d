//! A server of its own, with its settings told, and gone at the end.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;

use foldlog::Db;
use foldlog_pg::{Endpoint, PrivateServer, ServerOptions, Variables};
use tempfile::TempDir;

use crate::Failure;
use crate::machine;
use crate::plain::Session;

/// What a machine of some size would be given; everything else is the server's default.
const SETTINGS: [(&str, &str); 2] = [("shared_buffers", "1GB"), ("max_wal_size", "4GB")];
/// What is checked is that the work is right, and not how fast it is.
const SMOKE_SETTINGS: [(&str, &str); 1] = [("fsync", "off")];
/// File systems that a crash of the machine empties: a commit costs nothing there.
const FORGETFUL: [&str; 2] = ["tmpfs", "ramfs"];

pub struct Server {
    private: PrivateServer,
    // Its standard input ends with this process, and then it stops the server: for kill -9.
    caretaker: Option<Child>,
    // Behind the server, so that it is removed when that has stopped.
    folder: TempDir,
    pub facts: Facts,
}

/// What the figures depend on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The version, with what the distribution says of its build.
    pub version: String,
    /// `name = value`, of what bears on the figures.
    pub settings: String,
    pub file_system: String,
    pub postmaster: u32,
}

impl Server {
    /// Starts it, unless figures of it would say nothing.
    pub async fn start(smoke: bool) -> Result<Self, Failure> {
        let variables = Variables::from_process();
        // Not the process's own variables but those that choose the binaries.
        let names = ["FOLDLOG_PG", "FOLDLOG_PG_BIN", "PATH", "HOME", "XDG_CACHE_HOME"];
        let told = names.iter().filter_map(|name| Some((*name, variables.get(name)?)));
        let folder = tempfile::Builder::new()
            .prefix("foldlog-bench-")
            // A server that root lends to another account must get in.
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        let mut options = ServerOptions::new(told.collect()).base(folder.path());
        let settings: &[(&str, &str)] = if smoke { &SMOKE_SETTINGS } else { &SETTINGS };
        for (name, value) in settings {
            options = options.setting(name, value);
        }
        let file_system = machine::file_system(folder.path());
        if !smoke {
            refuse_fetched(&options.binaries().await?)?;
            refuse_forgetful(&file_system, folder.path())?;
        }
        let private = PrivateServer::start(options).await?;
        let caretaker = private.caretaker().spawn().ok();
        let facts = Facts::read(&private, file_system).await?;
        Ok(Self { private, caretaker, folder, facts })
    }

    /// A database of its own, empty.
    pub async fn database(&self, name: &str) -> Result<Db, Failure> {
        let session = Session::open(&self.private.endpoint("postgres")).await?;
        let create = include_str!("../sql/database_create.sql").replace("{name}", name);
        session.client.batch_execute(&create).await?;
        session.close().await;
        Ok(Db::open(self.private.endpoint(name), None).await?)
    }

    /// Drops a database that nobody uses any more, so that the disk does not fill up.
    pub async fn drop_database(&self, name: &str) -> Result<(), Failure> {
        let session = Session::open(&self.private.endpoint("postgres")).await?;
        let drop = include_str!("../sql/database_drop.sql").replace("{name}", name);
        session.client.batch_execute(&drop).await?;
        session.close().await;
        Ok(())
    }

    /// The server's own database, where asking leaves no trace in the others.
    pub fn endpoint(&self) -> Endpoint {
        self.private.endpoint("postgres")
    }

    /// For another program.
    pub fn url(&self, database: &str) -> String {
        self.private.url(database)
    }

    /// Stops it and removes its data.
    pub async fn close(self) -> Result<(), Failure> {
        self.private.close().await?;
        if let Some(mut caretaker) = self.caretaker {
            // Nothing is left to take care of.
            caretaker.kill()?;
            caretaker.wait()?;
        }
        Ok(self.folder.close()?)
    }
}

impl Facts {
    async fn read(server: &PrivateServer, file_system: String) -> Result<Self, Failure> {
        let session = Session::open(&server.endpoint("postgres")).await?;
        let row = session.client.query_one(include_str!("../sql/server_facts.sql"), &[]).await?;
        session.close().await;
        let pid_file = std::fs::read_to_string(server.data().join("postmaster.pid"))?;
        let postmaster = pid_file.lines().next().unwrap_or_default().trim().parse()?;
        Ok(Self { version: row.try_get(0)?, settings: row.try_get(1)?, file_system, postmaster })
    }
}

/// Fetched binaries are built for any machine: what they lack would be counted as ours.
fn refuse_fetched(binaries: &Path) -> Result<(), Failure> {
    if !is_fetched(binaries) {
        return Ok(());
    }
    Err(format!(
        "the binaries in {} were fetched, and figures come from a distribution's only: install \
         PostgreSQL from the system's packages, or name its bin folder in FOLDLOG_PG_BIN, or check \
         with --smoke",
        binaries.display()
    )
    .into())
}

/// They lie as …/foldlog/postgresql/18.1.0/bin, beside the lock of whoever fetches.
fn is_fetched(binaries: &Path) -> bool {
    binaries.ancestors().nth(2).is_some_and(|cache| cache.join("fetch.lock").exists())
}

fn refuse_forgetful(file_system: &str, folder: &Path) -> Result<(), Failure> {
    if !FORGETFUL.contains(&file_system) {
        return Ok(());
    }
    Err(format!(
        "{} lies on {file_system}, where a commit costs nothing: set TMPDIR to a folder on a disk, \
         or check with --smoke",
        folder.display()
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetched_binaries_are_told_by_the_lock_beside_them() {
        let cache = tempfile::tempdir().unwrap();
        let binaries = cache.path().join("18.1.0/bin");
        std::fs::create_dir_all(&binaries).unwrap();
        assert!(refuse_fetched(&binaries).is_ok());
        std::fs::write(cache.path().join("fetch.lock"), "").unwrap();
        assert!(refuse_fetched(&binaries).unwrap_err().to_string().contains("FOLDLOG_PG_BIN"));
    }

    #[test]
    fn a_disk_is_told_from_memory() {
        assert!(refuse_forgetful("ext4", Path::new("/x")).is_ok());
        assert!(refuse_forgetful("tmpfs", Path::new("/x")).is_err());
    }
}
