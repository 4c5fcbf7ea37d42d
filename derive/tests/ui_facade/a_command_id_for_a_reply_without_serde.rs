mod bank;
use bank::*;

#[tokio::main]
async fn main() {
    let look = app().execute(&AccountId(1), Look);
    drop(look.command_id(uuid::Uuid::nil()).await);
}
