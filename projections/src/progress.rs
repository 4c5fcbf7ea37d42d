//! How far this process has come with each class: what waits in the process look at first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldlog_core::{Position, SliceClass};
use tokio::sync::{Notify, watch};

use crate::checkpoint::Name;

/// For every class that a worker of this process has owned, a value that follows its progress.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<HashMap<(Name, SliceClass), Class>>);

#[derive(Clone, Debug, Default)]
struct Class {
    position: watch::Sender<Position>,
    // Rings while somebody waits for the class.
    hurry: Arc<Notify>,
}

impl Progress {
    /// Everything of the class up to `position` is in the read model.
    pub(crate) fn publish(&self, name: Name, class: SliceClass, position: Position) {
        self.class(name, class).position.send_if_modified(|known| {
            let further = position > *known;
            if further {
                *known = position;
            }
            further
        });
    }

    /// The class begins anew, or elsewhere: what was published no longer counts.
    pub(crate) fn forget(&self, name: Name, class: SliceClass) {
        self.class(name, class).position.send_replace(Position::START);
    }

    /// What tells of further progress, for somebody who waits for it: a worker of this process then
    /// gathers no longer than it must.
    pub(crate) fn follow(&self, name: Name, class: SliceClass) -> watch::Receiver<Position> {
        let class = self.class(name, class);
        class.hurry.notify_one();
        class.position.subscribe()
    }

    /// What rings when somebody waits for the class.
    pub(crate) fn hurry(&self, name: Name, class: SliceClass) -> Arc<Notify> {
        self.class(name, class).hurry
    }

    fn class(&self, name: Name, class: SliceClass) -> Class {
        let mut classes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        classes.entry((name, class)).or_default().clone()
    }
}
