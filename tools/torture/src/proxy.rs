//! A way to the server that can be spoilt: it cuts connections in place of answers, swallows what is
//! sent, and passes it on in crumbs.

mod connection;
mod order;
mod talk;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use order::Desk;
pub use order::{After, Counts};

/// A proxy on a loopback port of its own, in front of a server on another one. It has as many
/// connections to the server as its clients have to it. Dropped, it ends with all of them.
#[derive(Debug)]
pub struct Proxy {
    desk: Arc<Desk>,
    port: u16,
    // Only held.
    _task: JoinSet<()>,
}

impl Proxy {
    /// Listens; the server need not be there yet.
    ///
    /// # Errors
    ///
    /// No port is to be had.
    pub async fn start(server_port: u16, rng: Rng) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let desk = Arc::new(Desk::new(rng));
        let mut task = JoinSet::new();
        task.spawn(accept(listener, server_port, desk.clone()));
        Ok(Self { desk, port, _task: task })
    }

    /// Where clients connect to, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database behind the proxy.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The next `n` connections that send a commit lose the answer to it: the server has the commit,
    /// the client sees the end of its connection, before or after the server has done it.
    pub fn cut_commits(&self, n: usize) {
        self.desk.order_cuts(|cuts| cuts.commits += n);
    }

    /// The same for appends outside of a transaction block, which commit by themselves.
    pub fn cut_appends(&self, n: usize) {
        self.desk.order_cuts(|cuts| cuts.appends += n);
    }

    /// The same for whatever is executed next.
    pub fn cut_answers(&self, n: usize) {
        self.desk.order_cuts(|cuts| cuts.answers += n);
    }

    /// How many of the ordered cuts have not been made.
    #[must_use]
    pub fn cuts_left(&self) -> usize {
        self.desk.cuts_left()
    }

    /// Takes back the cuts that were ordered and not made.
    pub fn spare(&self) {
        self.desk.order_cuts(|cuts| *cuts = order::Cuts::default());
    }

    /// For so long nothing gets through in either direction, and nobody is told; new connections are
    /// taken and hear nothing. Then the connections end with what they held, or it is passed on.
    pub fn blackhole(&self, time: Duration, after: After) {
        self.desk.blackhole(time, after);
    }

    /// From now on, or no longer: everything is passed on in small pieces with pauses between them.
    pub fn split(&self, on: bool) {
        self.desk.split(on);
    }

    /// Ends all connections, wherever they are.
    pub fn cut_all(&self) {
        self.desk.cut_all();
    }

    /// From now on everything passes as it comes.
    pub fn heal(&self) {
        self.spare();
        self.desk.pass();
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.desk.counts()
    }
}

async fn accept(listener: TcpListener, server_port: u16, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(serve(client, server_port, desk.clone()));
                }
                // Out of descriptors, or the client left already.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(client: TcpStream, server_port: u16, desk: Arc<Desk>) {
    desk.count(|counts| counts.connections += 1);
    let mut order = desk.follow();
    // How a connection ends is told to its client by its end.
    let _ended = tokio::select! {
        ended = connection::pass(client, server_port, &desk) => ended,
        () = order::doom(&mut order) => {
            desk.count(|counts| counts.dropped += 1);
            Ok(())
        }
    };
}
