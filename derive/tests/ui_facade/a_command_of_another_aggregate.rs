mod bank;
use bank::*;

struct CloseBooks;

#[tokio::main]
async fn main() {
    drop(app().execute(&AccountId(1), CloseBooks).await);
}
