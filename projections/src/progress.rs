//! How far this process has come with each class: what waits in the process look at first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldlog_core::{Position, SliceClass};
use tokio::sync::watch;

use crate::checkpoint::Name;

/// For every class that a worker of this process has owned, a value that follows its progress.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<HashMap<(Name, SliceClass), watch::Sender<Position>>>);

impl Progress {
    /// Everything of the class up to `position` is in the read model.
    pub(crate) fn publish(&self, name: Name, class: SliceClass, position: Position) {
        self.sender(name, class).send_if_modified(|known| {
            let further = position > *known;
            if further {
                *known = position;
            }
            further
        });
    }

    /// The class begins anew, or elsewhere: what was published no longer counts.
    pub(crate) fn forget(&self, name: Name, class: SliceClass) {
        self.sender(name, class).send_replace(Position::START);
    }

    pub(crate) fn follow(&self, name: Name, class: SliceClass) -> watch::Receiver<Position> {
        self.sender(name, class).subscribe()
    }

    fn sender(&self, name: Name, class: SliceClass) -> watch::Sender<Position> {
        self.lock().entry((name, class)).or_default().clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Name, SliceClass), watch::Sender<Position>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
