mod bank;
use bank::*;

#[tokio::main]
async fn main() {
    drop(app().decide(Open).await);
}
