mod bank;
use bank::*;

async fn open(app: App) {
    drop(app.execute_with(&AccountId(1), Open).await);
}

fn main() {}
