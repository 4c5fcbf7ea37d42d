//! What a command came to, and whether two came to the same.

use super::stored::Stored;
use super::{Given, fold};
use crate::decider::{CommandOf, Context, Decider};

impl<A: Decider> Given<A> {
    /// Decides on the state, on the state again, and on every restored one.
    pub(super) fn decide<C: CommandOf<A>>(
        &self,
        command: &C,
    ) -> Result<Outcome<A, C::Reply>, String> {
        let state = fold(&self.events);
        let first = Outcome::of(self, &state, command)?;
        let second = Outcome::of(self, &state, command)?;
        if let Some(difference) = first.difference(&second, "the first time", "the second time") {
            return Err(format!(
                "asked twice on the same state, `decide` came to different ends: {difference}; \
                 it must be pure: take ids from the command, and the time from the context"
            ));
        }
        let Some(snapshots) = &self.snapshots else { return Ok(first) };
        for split in 0..=self.events.len() {
            let restored = snapshots.restored(&self.events, split)?;
            let outcome = Outcome::of(self, &restored, command)?;
            if let Some(difference) = first.difference(&outcome, "without it", "by way of it") {
                return Err(format!(
                    "a snapshot after {split} of {} events changes the decision: {difference}",
                    self.events.len()
                ));
            }
        }
        Ok(first)
    }
}

/// A decision whose events were stored, or a rejection.
pub(super) enum Outcome<A: Decider, R> {
    Accepted(Vec<Stored<A::Event>>, R),
    Rejected(A::Rejection),
}

/// An outcome without its events.
pub(super) type Answer<A, R> = Result<R, <A as Decider>::Rejection>;

impl<A: Decider, R> Outcome<A, R> {
    pub(super) fn of<C: CommandOf<A, Reply = R>>(
        given: &Given<A>,
        state: &A,
        command: &C,
    ) -> Result<Self, String> {
        let Some(id) = given.id.clone() else { return Err("no id was given".to_owned()) };
        let context = Context::new(id, given.version(), given.now)
            .with_command(given.command_id, given.metadata.clone());
        let (events, reply) = match command.decide(state, &context) {
            Ok(decision) => decision.into_parts(),
            Err(rejection) => return Ok(Self::Rejected(rejection)),
        };
        Ok(Self::Accepted(given.stored(given.events.len(), events)?, reply))
    }

    /// The answer, and the events beside it.
    pub(super) fn parted(self) -> (Answer<A, R>, Vec<Stored<A::Event>>) {
        match self {
            Self::Accepted(events, reply) => (Ok(reply), events),
            Self::Rejected(rejection) => (Err(rejection), Vec::new()),
        }
    }

    /// How this outcome and another part, with a name for each. Replies are left out, for they need
    /// not be comparable.
    pub(super) fn difference(&self, other: &Self, this: &str, that: &str) -> Option<String> {
        match (self, other) {
            (Self::Accepted(left, _), Self::Accepted(right, _)) => {
                difference(left, right).map(|difference| difference.told(this, that))
            }
            (left, right) => {
                let (left, right) = (left.text(), right.text());
                (left != right).then(|| format!("{left} {this}, {right} {that}"))
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Accepted(events, _) => format!("accepted with {}", listed(events, ", ")),
            Self::Rejected(rejection) => format!("rejected with {rejection:?}"),
        }
    }
}

/// Events in a failure.
pub(super) fn listed<E>(events: &[Stored<E>], between: &str) -> String {
    let texts: Vec<String> = events.iter().map(Stored::text).collect();
    if texts.is_empty() { "no event".to_owned() } else { texts.join(between) }
}

/// The first place where two rows of events part.
pub(super) struct EventDifference {
    place: String,
    left: String,
    right: String,
}

impl EventDifference {
    /// As a sentence, with a name for each side.
    pub(super) fn told(&self, left: &str, right: &str) -> String {
        format!("{} is {} {left}, {} {right}", self.place, self.left, self.right)
    }
}

/// Compares what would be stored, type by type and field by field.
pub(super) fn difference<E>(left: &[Stored<E>], right: &[Stored<E>]) -> Option<EventDifference> {
    let text = |event: Option<&Stored<E>>| event.map_or("missing".to_owned(), Stored::text);
    (0..left.len().max(right.len())).find_map(|index| {
        let (left, right) = (left.get(index), right.get(index));
        if let (Some(left), Some(right)) = (left, right)
            && left.kind == right.kind
        {
            let difference = left.payload.difference(&right.payload)?;
            let place = format!("event {} ({}): {}", index + 1, left.kind, difference.path);
            return Some(EventDifference { place, left: difference.left, right: difference.right });
        }
        let place = format!("event {}", index + 1);
        Some(EventDifference { place, left: text(left), right: text(right) })
    })
}
