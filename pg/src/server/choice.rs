//! Which binaries are used: the named folder, else the newest found, else fetched ones.

use std::path::Path;

use foldlog_core::{Error, ErrorKind};

use super::account::Account;
use super::binaries::{Binaries, OLDEST};
use super::{ServerOptions, remedy, search};

/// What the variables ask for.
enum Wish {
    /// Exactly this folder.
    Folder(Binaries),
    /// Any of this machine.
    Found,
    /// None of this machine.
    Fetched,
}

pub(super) async fn choose(options: &ServerOptions, account: &Account) -> Result<Binaries, Error> {
    let asked = (options.clone(), account.clone());
    let searching = tokio::task::spawn_blocking(move || on_this_machine(&asked.0, &asked.1));
    let major = asked_major(options)?;
    if let Some(binaries) = searching.await.map_err(|error| super::broken(&error))?? {
        return Ok(binaries);
    }
    fetch(options, account, major).await
}

fn asked_major(options: &ServerOptions) -> Result<Option<u16>, Error> {
    let Some(text) = options.variables.get("FOLDLOG_PG") else { return Ok(None) };
    match text.parse() {
        Ok(major) if major >= OLDEST => Ok(Some(major)),
        _ => Err(setup(format!(
            "FOLDLOG_PG is {text:?}; it names a major version of PostgreSQL, {OLDEST} or newer"
        ))),
    }
}

fn on_this_machine(options: &ServerOptions, account: &Account) -> Result<Option<Binaries>, Error> {
    let major = asked_major(options)?;
    match wish(options)? {
        Wish::Fetched => Ok(None),
        Wish::Folder(binaries) => match major {
            Some(major) if major != binaries.major => Err(setup(format!(
                "FOLDLOG_PG_BIN ({}) is PostgreSQL {}, but FOLDLOG_PG asks for {major}: unset one",
                binaries.folder.display(),
                binaries.major
            ))),
            _ if binaries.major < OLDEST => Err(setup(format!(
                "FOLDLOG_PG_BIN ({}) is PostgreSQL {}; foldlog needs {OLDEST} or newer",
                binaries.folder.display(),
                binaries.major
            ))),
            _ => Ok(Some(binaries)),
        },
        Wish::Found => Ok(search::search(&options.root, &options.variables)
            .into_iter()
            .filter(|found| found.major >= OLDEST && major.is_none_or(|major| major == found.major))
            .filter(|found| account.reaches(&found.folder))
            // The first of several with one major: the one that PATH prefers.
            .reduce(|best, next| if next.major > best.major { next } else { best })),
    }
}

fn wish(options: &ServerOptions) -> Result<Wish, Error> {
    match options.variables.get("FOLDLOG_PG_BIN") {
        None => Ok(Wish::Found),
        Some("none") => Ok(Wish::Fetched),
        Some(folder) => match Binaries::of(Path::new(folder)) {
            Some(binaries) => Ok(Wish::Folder(binaries)),
            None => Err(setup(format!(
                "FOLDLOG_PG_BIN is {folder}, where there is no working postgres, initdb and pg_ctl: \
                 name the bin folder of an installation, or `none`"
            ))),
        },
    }
}

#[cfg(feature = "embedded")]
async fn fetch(
    options: &ServerOptions,
    account: &Account,
    major: Option<u16>,
) -> Result<Binaries, Error> {
    super::fetch::fetch(&options.variables, account, major).await.map_err(|error| {
        setup(format!("{error}; {}", remedy::without_fetching(&options.root, major)))
            .with_source(error)
    })
}

#[cfg(not(feature = "embedded"))]
async fn fetch(
    options: &ServerOptions,
    _account: &Account,
    major: Option<u16>,
) -> Result<Binaries, Error> {
    let found = match major {
        _ if options.variables.get("FOLDLOG_PG_BIN") == Some("none") => {
            "FOLDLOG_PG_BIN is none, so no PostgreSQL of this machine is used".to_owned()
        }
        Some(major) => format!("no PostgreSQL {major} on this machine"),
        None => format!("no PostgreSQL {OLDEST} or newer on this machine"),
    };
    Err(setup(format!(
        "{found}; {}; or build with the feature `embedded`, which fetches it",
        remedy::without_fetching(&options.root, major)
    )))
}

fn setup(message: String) -> Error {
    Error::new(ErrorKind::Setup, message)
}
