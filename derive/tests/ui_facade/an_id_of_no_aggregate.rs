mod bank;
use bank::*;

#[tokio::main]
async fn main() {
    let id = uuid::Uuid::nil();
    drop(app().execute(&id, Open).await);
}
