mod bank;
use bank::*;

async fn open(app: App, conn: &mut sqlx::PgConnection) {
    drop(app.execute(&AccountId(1), Open).retry(Retry::never()).within(&mut *conn).await);
    drop(app.execute(&AccountId(1), Open).within(conn).retry(Retry::never()).await);
}

fn main() {}
