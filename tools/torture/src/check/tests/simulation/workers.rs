//! Two views and a batch handler, each in four classes, with the claims and checkpoints of two workers.

use std::collections::BTreeMap;

use super::Simulation;
use crate::history::{CheckpointChange, Effect, History, Stored, Truth, ViewShot};

const MODULUS: u16 = 4;
const PROJECTIONS: [&str; 3] = ["balance", "bucket", "scribe"];
/// Epochs begin anywhere.
const EPOCH: u64 = 1_000;

#[derive(Clone, Default)]
struct Class {
    position: u64,
    claims: u64,
    role: Option<&'static str>,
}

#[derive(Default)]
pub(super) struct Work {
    classes: BTreeMap<(&'static str, u16), Class>,
    rows: BTreeMap<String, BTreeMap<String, (i64, u64)>>,
    effects: Vec<Effect>,
    audit: Vec<CheckpointChange>,
}

impl Work {
    pub(super) fn furthest(&self) -> u64 {
        self.classes.values().map(|class| class.position).max().unwrap_or(0)
    }

    /// How far the row of a stream is.
    pub(super) fn balance_at(&self, stream: u32) -> u64 {
        let remainder = u16::try_from(stream * 397 % 1_024).unwrap() % MODULUS;
        self.classes.get(&("balance", remainder)).map_or(0, |class| class.position)
    }

    pub(super) fn balance(&self, name: &str) -> (i64, u64) {
        let row = self.rows.get("balance").and_then(|rows| rows.get(name));
        row.copied().unwrap_or_default()
    }

    pub(super) fn tell(self, history: &History, truth: &mut Truth) {
        assert!(history.streams.len() > 1, "there are streams to project");
        (truth.rows, truth.effects, truth.audit) = (self.rows, self.effects, self.audit);
    }

    fn claim(&mut self, projection: &'static str, remainder: u16, role: &'static str) {
        let class = self.classes.entry((projection, remainder)).or_default();
        class.claims += 1;
        class.role = Some(role);
        let (epoch, position) = (EPOCH + class.claims, class.position);
        self.audit.push(CheckpointChange {
            projection: projection.to_owned(),
            modulus: MODULUS,
            remainder,
            role: role.to_owned(),
            old_epoch: epoch - 1,
            new_epoch: epoch,
            old_position: position,
            new_position: position,
        });
    }

    fn apply(&mut self, projection: &str, name: &str, stored: &Stored) {
        let key = match projection {
            "balance" => name.to_owned(),
            "bucket" => format!("b{}", stored.mark % 7),
            _ => {
                let Stored { mark, stream, version, position, .. } = *stored;
                return self.effects.push(Effect { mark, stream, version, position });
            }
        };
        let rows = self.rows.entry(projection.to_owned()).or_default();
        let row = rows.entry(key).or_default();
        *row = (row.0 + stored.cents, row.1 + 1);
    }
}

impl Simulation {
    /// One class of one projection goes on, some way towards what is settled.
    pub(super) fn project(&mut self) {
        let projection = PROJECTIONS[self.rng.usize(..3)];
        let remainder = self.rng.u16(..MODULUS);
        let settled = self.store.settled(&self.open);
        let reach = self.rng.u64(1..60);
        self.advance(projection, remainder, settled, reach);
    }

    fn advance(&mut self, projection: &'static str, remainder: u16, settled: u64, reach: u64) {
        let class = self.work.classes.entry((projection, remainder)).or_default().clone();
        let through = settled.min(class.position + reach);
        if class.role.is_none() || self.rng.u8(..) < 20 {
            let role = if self.rng.bool() { "worker_1" } else { "worker_2" };
            self.work.claim(projection, remainder, role);
        }
        if through <= class.position {
            return;
        }
        let in_class = |stored: &&Stored| stored.slice % MODULUS == remainder;
        let events: Vec<Stored> =
            self.store.between(class.position, through).filter(in_class).copied().collect();
        for stored in events.iter().filter(|stored| stored.stream != 0) {
            let name = self.name(stored.stream);
            self.work.apply(projection, &name, stored);
        }
        let class = self.work.classes.get_mut(&(projection, remainder)).unwrap();
        let old_position = std::mem::replace(&mut class.position, through);
        let epoch = EPOCH + class.claims;
        self.work.audit.push(CheckpointChange {
            projection: projection.to_owned(),
            modulus: MODULUS,
            remainder,
            role: class.role.unwrap().to_owned(),
            old_epoch: epoch,
            new_epoch: epoch,
            old_position,
            new_position: through,
        });
    }

    pub(super) fn project_all(&mut self) {
        for projection in PROJECTIONS {
            for remainder in 0..MODULUS {
                self.advance(projection, remainder, self.store.last, u64::MAX / 2);
            }
        }
    }

    pub(super) fn shoot(&mut self) {
        let view = PROJECTIONS[self.rng.usize(..2)];
        let (begun, ended) = (self.before(), self.after());
        let position =
            |remainder| self.work.classes.get(&(view, remainder)).map_or(0, |class| class.position);
        let checkpoints =
            (0..MODULUS).map(|remainder| (MODULUS, remainder, position(remainder))).collect();
        let rows = self.work.rows.get(view).cloned().unwrap_or_default();
        let view = view.to_owned();
        self.history.shots.push(ViewShot { view, begun, ended, checkpoints, rows });
    }
}
