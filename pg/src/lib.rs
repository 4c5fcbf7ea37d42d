//! PostgreSQL craft for foldlog: connections, migrations, settled positions, a server of one's own.

mod connect;
mod db;
mod listen;
mod migrate;
mod read_ahead;
pub mod segment;
mod server;
pub mod settled;
mod sqlstate;

pub use connect::{Connection, Endpoint, Session, Variables};
pub use db::Db;
pub use listen::Listener;
pub use migrate::{Migrator, migrate_roles};
pub use read_ahead::ReadAhead;
/// For the testkit, whose servers are lent to the same account.
#[doc(hidden)]
pub use server::Account as ServerAccount;
pub use server::{PrivateServer, ServerOptions};
pub use sqlstate::{constraint, database, driver, sqlstate};
