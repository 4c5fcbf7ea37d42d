//! Another process: works on views until its standard input ends.

use std::io::Read as _;

use foldlog::{App, Db};

use crate::Failure;
use crate::account::{Account, Balance};

/// What it says when it works.
pub const READY: &str = "ready";

pub async fn run(url: &str) -> Result<(), Failure> {
    let db = Db::connect(url).await?;
    let app = App::builder(db.clone()).aggregate::<Account>().view::<Balance>().start().await?;
    println!("{READY}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    app.shutdown().await?;
    db.close().await;
    Ok(())
}
