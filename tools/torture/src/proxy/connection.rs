//! One connection of a proxy: from its first packet to its end.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::order::{Desk, Order};
use super::talk::{Answers, Greeting, Talk};

const CHUNK_BYTES: usize = 1 << 16;
/// How long the server may take over a request whose client was cut off.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Bytes of a piece, and how many pieces a portion is passed on in at most.
const PIECE_BYTES: usize = 24;
const PIECES_MAX: usize = 64;

/// How the way to the server ended.
enum End {
    Left,
    Cut,
}

/// What both directions of a connection know.
struct Link<'a> {
    desk: &'a Desk,
    answers: Mutex<Answers>,
}

impl Link<'_> {
    fn answers<T>(&self, look: impl FnOnce(&mut Answers) -> T) -> T {
        look(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One direction's end: where it writes to, what it follows, and its luck.
struct Way {
    to: OwnedWriteHalf,
    order: watch::Receiver<Order>,
    rng: Rng,
}

impl Way {
    async fn pass(&mut self, desk: &Desk, bytes: &[u8]) -> io::Result<()> {
        desk.held(&mut self.order).await;
        if !self.order.borrow().split {
            return self.to.write_all(bytes).await;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let least = bytes.len().div_ceil(PIECES_MAX);
            let size = least.max(self.rng.usize(1..=PIECE_BYTES)).min(rest.len());
            let (piece, left) = rest.split_at(size);
            self.to.write_all(piece).await?;
            rest = left;
            // Never behind the last piece: a cut that follows must come before the answer.
            if !rest.is_empty() {
                desk.count(|counts| counts.pieces += 1);
                match self.rng.u8(0..8) {
                    0 => tokio::time::sleep(Duration::from_millis(1)).await,
                    _ => tokio::task::yield_now().await,
                }
            }
        }
        Ok(())
    }
}

pub(super) async fn pass(mut client: TcpStream, server_port: u16, desk: &Desk) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut talk = Talk::default();
    let mut order = desk.follow();
    let Some((greeting, first)) = greet(&mut client, &mut talk, desk, &mut order).await? else {
        return Ok(());
    };
    desk.held(&mut order).await;
    let server = match TcpStream::connect(("127.0.0.1", server_port)).await {
        Ok(server) => server,
        Err(error) => {
            desk.count(|counts| counts.refused += 1);
            return Err(error);
        }
    };
    server.set_nodelay(true)?;
    let (mut from_client, to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    let mut rng = desk.rng();
    let mut up = Way { to: to_server, order: order.clone(), rng: rng.fork() };
    let mut down = Way { to: to_client, order, rng: rng.fork() };
    let link = Link { desk, answers: Mutex::default() };
    up.pass(desk, &first).await?;
    if greeting == Greeting::Cancel {
        // The server says nothing; it closes.
        return answers(&link, &mut from_server, &mut down).await;
    }
    // The first answer is the one to the startup packet.
    let mut asked = 1;
    let end = tokio::select! {
        end = requests(&link, talk, &mut from_client, &mut up, &mut asked) => end?,
        ended = answers(&link, &mut from_server, &mut down) => return ended,
    };
    if matches!(end, End::Left) {
        return Ok(());
    }
    let mut client = Some((from_client, down));
    if rng.bool() {
        // Half of them see it at once, and may repeat themselves while the server is still at it.
        client = None;
    }
    let answered = answered(&link, &mut from_server, asked).await;
    drop(client);
    answered
}

/// Hears a client out until it says what it wants; wishes for encryption are declined.
async fn greet(
    client: &mut TcpStream,
    talk: &mut Talk,
    desk: &Desk,
    order: &mut watch::Receiver<Order>,
) -> io::Result<Option<(Greeting, Vec<u8>)>> {
    let mut chunk = [0; 1024];
    loop {
        match talk.greeting()? {
            Some((Greeting::Encryption, _)) => {
                desk.held(order).await;
                client.write_all(b"N").await?;
            }
            Some(other) => return Ok(Some(other)),
            None => {
                let read = client.read(&mut chunk).await?;
                if read == 0 {
                    return Ok(None);
                }
                talk.hear(chunk.get(..read).unwrap_or_default());
            }
        }
    }
}

/// From the client to the server, until the client leaves or has to be cut off.
async fn requests(
    link: &Link<'_>,
    mut talk: Talk,
    from: &mut OwnedReadHalf,
    way: &mut Way,
    asked: &mut usize,
) -> io::Result<End> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let mut portion = Vec::new();
        while let Some(message) = talk.message()? {
            portion.extend(message.bytes);
            *asked += usize::from(message.asks);
            let in_transaction = link.answers(|answers| answers.in_transaction);
            if message.work.is_some_and(|work| link.desk.takes(work, in_transaction)) {
                way.pass(link.desk, &portion).await?;
                return Ok(End::Cut);
            }
        }
        if !portion.is_empty() {
            way.pass(link.desk, &portion).await?;
        }
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return Ok(End::Left);
        }
        talk.hear(chunk.get(..read).unwrap_or_default());
    }
}

/// From the server to the client, until the server closes.
async fn answers(link: &Link<'_>, from: &mut OwnedReadHalf, way: &mut Way) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return Ok(());
        }
        let part = chunk.get(..read).unwrap_or_default();
        link.answers(|answers| answers.hear(part));
        way.pass(link.desk, part).await?;
    }
}

/// Waits until the server has answered everything that it was asked, and throws the answers away: it
/// was not cut off, and did what it was told.
async fn answered(link: &Link<'_>, from: &mut OwnedReadHalf, asked: usize) -> io::Result<()> {
    let draining = async {
        let mut chunk = vec![0; CHUNK_BYTES];
        while link.answers(|answers| answers.ended) < asked {
            let read = from.read(&mut chunk).await?;
            if read == 0 {
                break;
            }
            link.answers(|answers| answers.hear(chunk.get(..read).unwrap_or_default()));
        }
        Ok(())
    };
    tokio::time::timeout(ANSWER_WAIT, draining).await.unwrap_or(Ok(()))
}
