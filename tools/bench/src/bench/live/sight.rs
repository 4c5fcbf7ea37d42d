//! Sight: sees from outside when an event is in the view.
//!
//! The checkpoint moves in the transaction that writes the rows, so an event is in the view exactly
//! when its class's checkpoint has passed it. A thread of its own looks, for its pauses are shorter
//! than the runtime's timer can make them; while nothing is awaited it asks nothing.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use foldlog_pg::Endpoint;
use tokio_postgres::Statement;

use crate::Failure;
use crate::plain::Session;

/// Between two looks. With the look itself this is how exact the figures are.
const PAUSE: Duration = Duration::from_micros(300);
const PATIENCE: Duration = Duration::from_secs(30);

/// An event on its way to the view.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    pub slice: u16,
    pub position: u64,
    /// When the append was called, and when it answered.
    pub called: Instant,
    pub answered: Instant,
}

/// How long it took.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub whole: Duration,
    pub after_answer: Duration,
}

/// Looks until the sender is gone and everything that was awaited is there.
pub struct Sight {
    thread: JoinHandle<Result<Vec<Seen>, Failure>>,
}

impl Sight {
    pub fn open(endpoint: &Endpoint) -> (Self, Sender<Awaited>) {
        let (sender, awaited) = channel();
        let endpoint = endpoint.clone();
        let thread = std::thread::spawn(move || look(&endpoint, &awaited));
        (Self { thread }, sender)
    }

    /// What was seen.
    pub async fn end(self) -> Result<Vec<Seen>, Failure> {
        let joining = tokio::task::spawn_blocking(|| self.thread.join());
        joining.await?.map_err(|_panic| "the thread that looks at checkpoints panicked")?
    }
}

fn look(endpoint: &Endpoint, awaited: &Receiver<Awaited>) -> Result<Vec<Seen>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (session, statement) = runtime.block_on(async {
        let session = Session::open(endpoint).await?;
        let statement =
            session.client.prepare(include_str!("../../../sql/checkpoint_look.sql")).await?;
        Ok::<_, Failure>((session, statement))
    })?;
    let (mut pending, mut seen) = (Vec::new(), Vec::new());
    loop {
        if pending.is_empty() {
            match awaited.recv_timeout(PATIENCE) {
                Ok(one) => pending.push(one),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        pending.extend(awaited.try_iter());
        let classes = runtime.block_on(checkpoints(&session, &statement))?;
        let now = Instant::now();
        pending.retain(|one: &Awaited| {
            let is_there = classes.iter().any(|class| class.holds(one));
            if is_there {
                let (whole, after_answer) = (now - one.called, now - one.answered);
                seen.push(Seen { whole, after_answer });
            }
            !is_there
        });
        if let Some(late) = pending.iter().find(|one| one.answered.elapsed() > PATIENCE) {
            let (position, s) = (late.position, PATIENCE.as_secs());
            return Err(format!("position {position} was not in the view after {s} s").into());
        }
        std::thread::sleep(PAUSE);
    }
    runtime.block_on(session.close());
    Ok(seen)
}

/// How far the view is in one class of slices.
struct Checkpoint {
    modulus: u16,
    remainder: u16,
    position: u64,
}

impl Checkpoint {
    fn holds(&self, one: &Awaited) -> bool {
        one.slice % self.modulus == self.remainder && one.position <= self.position
    }
}

async fn checkpoints(session: &Session, statement: &Statement) -> Result<Vec<Checkpoint>, Failure> {
    let rows = session.client.query(statement, &[]).await?;
    let mut checkpoints = Vec::with_capacity(rows.len());
    for row in rows {
        let (modulus, remainder): (i16, i16) = (row.try_get(0)?, row.try_get(1)?);
        let position: i64 = row.try_get(2)?;
        checkpoints.push(Checkpoint {
            modulus: u16::try_from(modulus)?.max(1),
            remainder: u16::try_from(remainder)?,
            position: u64::try_from(position)?,
        });
    }
    Ok(checkpoints)
}
