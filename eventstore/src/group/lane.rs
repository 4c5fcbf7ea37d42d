//! The second lane: where requests wait for streams that others hold.
//!
//! All requests of one stream wait together, in one call that waits for its lock. Several streams are
//! waited for at once, each on a connection of its own, so that one that is held for long keeps few
//! others waiting.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldlog_core::StreamName;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};

use super::Waiting;
use super::admission::next_call;
use super::delivery::{Detour, deliver, refuse};
use super::held::Held;
use super::link::Link;
use crate::append::{BOUNDARY_WAIT_MS, LOCK_WAIT_MS, busy};
use crate::store::EventStore;

/// How many streams are waited for at once.
const WAITS: usize = 4;

/// What became of a wait.
struct Served {
    left: VecDeque<Waiting>,
    link: Option<Link>,
}

/// Serves until the lines are gone and nothing waits.
pub(super) async fn serve(
    store: EventStore,
    mut detours: mpsc::UnboundedReceiver<Detour>,
    held: Arc<Held>,
) {
    let mut streams: HashMap<StreamName, VecDeque<Waiting>> = HashMap::new();
    let mut turns: VecDeque<StreamName> = VecDeque::new();
    let mut serving = JoinSet::new();
    // Which stream each task waits for: one that breaks down leaves nobody waiting behind it.
    let mut served: HashMap<Id, StreamName> = HashMap::new();
    // One session is kept for the next wait.
    let mut spare: Option<Link> = None;
    let mut open = true;
    while open || !serving.is_empty() {
        tokio::select! {
            detour = detours.recv(), if open => match detour {
                Some(Detour { stream, waiting, .. }) => {
                    held.insert(&stream);
                    let queue = streams.entry(stream.clone()).or_insert_with(|| {
                        turns.push_back(stream);
                        VecDeque::new()
                    });
                    queue.push_back(waiting);
                }
                None => open = false,
            },
            Some(ended) = serving.join_next_with_id() => {
                let (id, left) = match ended {
                    Ok((id, Served { left, link })) => {
                        spare = spare.or(link);
                        (id, left)
                    }
                    Err(error) => {
                        tracing::error!(%error, "a wait of group append broke down");
                        (error.id(), VecDeque::new())
                    }
                };
                let Some(stream) = served.remove(&id) else { continue };
                let queue = streams.entry(stream.clone()).or_default();
                for waiting in left.into_iter().rev() {
                    queue.push_front(waiting);
                }
                if queue.is_empty() {
                    streams.remove(&stream);
                    held.remove(&stream);
                } else {
                    turns.push_back(stream);
                }
            }
        }
        while serving.len() < WAITS
            && let Some(stream) = turns.pop_front()
        {
            let queue = streams.get_mut(&stream).map(std::mem::take).unwrap_or_default();
            let task = serving.spawn(wait(store.clone(), stream.clone(), queue, spare.take()));
            served.insert(task.id(), stream);
        }
    }
}

/// One call that waits for the stream as long as the first of its requests may wait.
async fn wait(
    store: EventStore,
    stream: StreamName,
    mut queue: VecDeque<Waiting>,
    mut link: Option<Link>,
) -> Served {
    let patience = Duration::from_millis(LOCK_WAIT_MS.unsigned_abs().into());
    let requests = next_call(&mut queue);
    if requests.is_empty() {
        // Their callers are gone.
        return Served { left: queue, link };
    }
    if link.as_ref().is_none_or(|link| !link.is_open()) {
        match Link::open(store.db(), "foldlog append").await {
            Ok(opened) => link = Some(opened),
            Err(error) => {
                refuse(requests, &error);
                return Served { left: queue, link: None };
            }
        }
    }
    let now = Instant::now();
    let deadline = requests.iter().map(|waiting| waiting.since + patience).min().unwrap_or(now);
    let wait_ms = deadline.saturating_duration_since(now).as_millis().max(1);
    let mut wait_ms = i32::try_from(wait_ms).unwrap_or(LOCK_WAIT_MS);
    if requests.iter().any(|waiting| waiting.request.has_boundary()) {
        wait_ms = wait_ms.min(BOUNDARY_WAIT_MS);
    }
    let still_busy = deliver(&store, &mut link, requests, wait_ms).await;
    for Detour { is_free, waiting, .. } in still_busy.into_iter().rev() {
        if waiting.since.elapsed() < patience {
            queue.push_front(waiting);
            continue;
        }
        let pid = match &mut link {
            Some(link) if is_free => link.tag_holder(&waiting.request).await,
            Some(link) => link.holder(stream.tenant().as_str(), stream.as_str()).await,
            None => None,
        };
        let place = waiting.request.streams.iter().position(|part| part.name == stream);
        let error = busy(&waiting.request, place.filter(|_| !is_free), pid);
        waiting.answer(Err(error));
    }
    Served { left: queue, link }
}
