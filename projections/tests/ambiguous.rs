//! Commits whose answer is lost: the server has done them, the worker does not know.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldlog_pg::Db;
use foldlog_projections::{Projections, Registered, Workers};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

use crate::domain::{AccountEvent, Balance, account, deposit};
use crate::hand::scribe;
use crate::support::{Bench, Running};

/// A way to the server that passes on everything, and cuts the connection in place of the answer to
/// so many commits.
struct Cutter {
    cuts: Arc<AtomicUsize>,
    db: Db,
    // Dropped, it ends with its connections.
    _tasks: JoinSet<io::Result<()>>,
}

impl Cutter {
    async fn before(bench: &Bench) -> Self {
        let server = bench.database.pool().connect_options();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(listener.local_addr().unwrap().port())
            .username(server.get_username())
            .database(bench.database.name())
            .ssl_mode(PgSslMode::Disable);
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await?;
                let (server, cuts) = (server.clone(), counted.clone());
                connections.spawn(async move {
                    match server.get_socket() {
                        Some(dir) => {
                            let path = dir.join(format!(".s.PGSQL.{}", server.get_port()));
                            pass(client, UnixStream::connect(path).await?, &cuts).await
                        }
                        None => {
                            let to = (server.get_host(), server.get_port());
                            pass(client, TcpStream::connect(to).await?, &cuts).await
                        }
                    }
                });
            }
        });
        let pool = PgPoolOptions::new().connect_with(options).await.unwrap();
        Self { cuts, db: Db::from_pool(pool).await.unwrap(), _tasks: tasks }
    }

    async fn open(&self, bench: &Bench, registered: Vec<Registered>) -> Projections {
        let source = Arc::new(bench.store.clone());
        Projections::open(&self.db, source.clone(), source, registered).await.unwrap()
    }
}

async fn pass<S>(client: TcpStream, server: S, cuts: &AtomicUsize) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let answers = async { tokio::io::copy(&mut from_server, &mut to_client).await.map(drop) };
    let mut answers = std::pin::pin!(answers);
    let mut bytes = vec![0; 1 << 16];
    loop {
        let read = tokio::select! {
            ended = &mut answers => return ended,
            read = from_client.read(&mut bytes) => read?,
        };
        let Some(part) = bytes.get(..read).filter(|part| !part.is_empty()) else { return Ok(()) };
        // The driver sends it as a message of its own.
        let is_commit = part.windows(7).any(|bytes| bytes.eq_ignore_ascii_case(b"COMMIT\0"));
        let cut = |left: usize| left.checked_sub(1);
        if is_commit && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, cut).is_ok() {
            // The server does what it has read, and answers to nobody.
            to_server.write_all(part).await?;
            return Ok(());
        }
        to_server.write_all(part).await?;
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_neither_doubled_nor_taken_for_a_fence() {
    let bench = Bench::new().await;
    let cutter = Cutter::before(&bench).await;
    let registered = vec![scribe("one"), Registered::view::<Balance>().unwrap()];
    let projections = cutter.open(&bench, registered).await;
    let running = Running::start(&projections, Workers::default());
    bench.until("select bool_and(owner is not null) from foldlog.checkpoint").await;
    let epochs = "select sum(epoch)::bigint from foldlog.checkpoint";
    let before: i64 = bench.value(epochs).await;
    for n in 0..8_i64 {
        cutter.cuts.store(2, Ordering::SeqCst);
        let events = [deposit(n), AccountEvent::Withdrawn { cents: 1 }, deposit(1)];
        bench.put(&account(&format!("a{}", n % 3)), events).await;
        bench.caught_up("hand", "account").await;
        bench.caught_up("balance", "account").await;
        // Until both were cut and went on.
        foldlog_testkit::wait_until(crate::support::PATIENCE, async || {
            cutter.cuts.load(Ordering::SeqCst) == 0
        })
        .await;
    }
    bench.put(&account("a0"), deposit(1)).await;
    bench.caught_up("hand", "account").await;
    bench.caught_up("balance", "account").await;
    bench.assert_ledger_is_exact().await;
    bench.assert_folded::<Balance>().await;
    // Every class is still under the claim it had: nobody was fenced.
    assert_eq!(bench.value::<i64>(epochs).await, before);
    running.end().await;
}
