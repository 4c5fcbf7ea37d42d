//! A port of this machine in front of a server, through which nothing may come any more.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum State {
    Open,
    /// Whoever is connected and whoever comes is left without a word, as by a host that is gone.
    Silent,
    /// Whoever is connected and whoever comes is sent away, as by a balancer without a server.
    Closed,
}

/// Dropped, it ends with all connections.
pub(super) struct Door {
    pub(super) port: u16,
    state: watch::Sender<State>,
    _tasks: JoinSet<()>,
}

impl Door {
    pub(super) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, seen) = watch::channel(State::Open);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve(client, server, seen.clone()));
            }
        });
        Self { port, state, _tasks: tasks }
    }

    pub(super) fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn serve(mut client: TcpStream, server: u16, mut state: watch::Receiver<State>) {
    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    tokio::select! {
        biased;
        _ = state.wait_for(|state| *state != State::Open) => {}
        _ended = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
    }
    // Both stay open until the door is closed.
    let _gone = state.wait_for(|state| *state == State::Closed).await;
}
