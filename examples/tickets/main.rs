//! Sells the seats of a hall to more buyers than there are seats for, all at once.
//!
//! In reading order: [`hall`] is the domain, with the boundary of a purchase; [`rush`] lets the buyers
//! loose; [`audit`] reads back what was sold and checks it.
#![allow(unreachable_pub, reason = "a program: its modules are private, and nothing reaches out")]

mod audit;
mod hall;
mod rush;

use std::process::ExitCode;

use foldlog::prelude::*;
use uuid::Uuid;

use crate::hall::OrderEvent;

/// What ends a run.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is as it should be.
async fn run() -> Result<bool, Failure> {
    let db = Db::from_env().await?;
    eprintln!("{}", db.description());
    let app = App::builder(db.clone()).events::<OrderEvent>().start().await?;
    // Every run is a tenant of its own, so that it finds an empty hall.
    let tenant = Tenant::new(&format!("hall-{}", Uuid::now_v7()))?;

    let told = rush::sell(&app.tenant(tenant.clone())).await?;
    println!("{told}");
    let sold = audit::read(&app, &tenant).await?;
    println!("{sold}");
    let flaws = sold.flaws(&told);
    for flaw in &flaws {
        println!("wrong: {flaw}");
    }
    if flaws.is_empty() {
        println!("read back and verified: no seat twice, no buyer over the limit, no code twice");
    }
    app.shutdown().await?;
    db.close().await;
    Ok(flaws.is_empty())
}
