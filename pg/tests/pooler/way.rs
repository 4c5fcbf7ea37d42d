//! Ways to the server: one that passes everything on, and a pooler of few sessions in transaction
//! mode, with as much of the protocol as that takes.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use foldlog_testkit::TestDatabase;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
type Server = Box<dyn Stream>;

/// How a second client fares beside a first one.
#[derive(Clone, Copy)]
pub(super) enum Full {
    Never,
    /// As a server without a free connection.
    Refuses,
    /// As a pooler in session mode without a free session.
    IsSilent,
}

/// A port of this machine that leads to the server. Dropped, it ends with all connections.
pub(super) struct Way {
    port: u16,
    clients: Arc<AtomicUsize>,
    _tasks: JoinSet<io::Result<()>>,
}

impl Way {
    /// One session for each client.
    pub(super) async fn plain(database: &TestDatabase, full: Full) -> Self {
        let server = database.pool().connect_options();
        let room = Arc::new(Semaphore::new(1));
        Self::start(move |mut client| {
            let (server, room) = (server.clone(), room.clone().try_acquire_owned());
            async move {
                match (full, &room) {
                    (Full::Refuses, Err(_)) => {
                        startup(&mut client).await?;
                        return client.write_all(&no_room()).await;
                    }
                    (Full::IsSilent, Err(_)) => std::future::pending().await,
                    _ => {}
                }
                let mut server = dial(&server).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
            }
        })
        .await
    }

    /// So many sessions for all; each transaction gets the one that came back last.
    pub(super) async fn stack(database: &TestDatabase, sessions: usize) -> Self {
        Self::pooler(database, sessions, VecDeque::pop_back).await
    }

    /// So many sessions for all; each transaction gets the one that has rested longest.
    pub(super) async fn circle(database: &TestDatabase, sessions: usize) -> Self {
        Self::pooler(database, sessions, VecDeque::pop_front).await
    }

    async fn pooler(database: &TestDatabase, sessions: usize, choose: Choose) -> Self {
        let options = database.pool().connect_options();
        let (mut resting, mut greeting) = (VecDeque::new(), Vec::new());
        for _ in 0..sessions {
            let mut server = dial(&options).await.unwrap();
            let hello = hello(options.get_username(), database.name());
            server.write_all(&hello).await.unwrap();
            greeting.clear();
            assert_eq!(answer(&mut server, &mut greeting).await.unwrap(), b'I');
            resting.push_back(server);
        }
        let sessions = Arc::new(Semaphore::new(sessions));
        let pooler = Arc::new(Pooler { sessions, resting: Mutex::new(resting), choose, greeting });
        Self::start(move |client| pooler.clone().serve(client)).await
    }

    async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let clients = Arc::new(AtomicUsize::new(0));
        let (counted, mut tasks) = (clients.clone(), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await?;
                counted.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(client));
            }
        });
        Self { port, clients, _tasks: tasks }
    }

    /// How many clients have come.
    pub(super) fn clients(&self) -> usize {
        self.clients.load(Ordering::SeqCst)
    }

    pub(super) fn url(&self, database: &TestDatabase) -> String {
        let options = database.pool().connect_options();
        let (role, name) = (options.get_username(), database.name());
        format!("postgres://{role}@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }
}

type Choose = fn(&mut VecDeque<Server>) -> Option<Server>;

struct Pooler {
    sessions: Arc<Semaphore>,
    resting: Mutex<VecDeque<Server>>,
    choose: Choose,
    /// What every client is told at its start.
    greeting: Vec<u8>,
}

impl Pooler {
    async fn serve(self: Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        startup(&mut client).await?;
        client.write_all(&self.greeting).await?;
        let mut taken: Option<(Server, OwnedSemaphorePermit)> = None;
        loop {
            let Some(request) = request(&mut client).await? else { return Ok(()) };
            let (mut server, turn) = match taken.take() {
                Some(taken) => taken,
                None => self.take().await,
            };
            server.write_all(&request).await?;
            let mut bytes = Vec::new();
            let status = answer(&mut server, &mut bytes).await?;
            // Back before the client can ask again, so that the order is certain.
            if status == b'I' {
                self.resting.lock().unwrap().push_back(server);
                drop(turn);
            } else {
                taken = Some((server, turn));
            }
            client.write_all(&bytes).await?;
        }
    }

    async fn take(&self) -> (Server, OwnedSemaphorePermit) {
        let turn = self.sessions.clone().acquire_owned().await.unwrap();
        let server = (self.choose)(&mut self.resting.lock().unwrap());
        (server.expect("whoever has a turn finds a session"), turn)
    }
}

async fn dial(options: &PgConnectOptions) -> io::Result<Server> {
    Ok(match options.get_socket() {
        Some(folder) => {
            let path = folder.join(format!(".s.PGSQL.{}", options.get_port()));
            Box::new(UnixStream::connect(path).await?)
        }
        None => Box::new(TcpStream::connect((options.get_host(), options.get_port())).await?),
    })
}

/// The one message without a kind. What it says makes no difference here.
async fn startup(client: &mut TcpStream) -> io::Result<()> {
    let mut rest = vec![0; (client.read_u32().await? - 4) as usize];
    client.read_exact(&mut rest).await.map(drop)
}

fn hello(role: &str, database: &str) -> Vec<u8> {
    let pairs = format!("\0\x03\0\0user\0{role}\0database\0{database}\0\0");
    [&(pairs.len() as u32 + 4).to_be_bytes(), pairs.as_bytes()].concat()
}

fn no_room() -> Vec<u8> {
    let fields = "SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0";
    [b"E", &(fields.len() as u32 + 4).to_be_bytes()[..], fields.as_bytes()].concat()
}

/// Adds a message to the others, and tells its kind and its last byte.
async fn message<S: Stream>(from: &mut S, to: &mut Vec<u8>) -> io::Result<(u8, Option<u8>)> {
    let (kind, length) = (from.read_u8().await?, from.read_u32().await?);
    let mut body = vec![0; length as usize - 4];
    from.read_exact(&mut body).await?;
    to.push(kind);
    to.extend(length.to_be_bytes());
    to.extend(&body);
    Ok((kind, body.last().copied()))
}

/// What a client sends until it waits for an answer; none if it leaves.
async fn request(client: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        match message(client, &mut bytes).await?.0 {
            b'Q' | b'S' => return Ok(Some(bytes)),
            b'X' => return Ok(None),
            _ => {}
        }
    }
}

/// What the server says until it is ready again; the status of its transaction then.
async fn answer(server: &mut Server, bytes: &mut Vec<u8>) -> io::Result<u8> {
    loop {
        if let (b'Z', Some(status)) = message(server, bytes).await? {
            return Ok(status);
        }
    }
}
