//! What a command comes to when it is accepted.

/// The events a command causes, and the reply to its caller.
///
/// Most deciders end with `Ok(x.into())`, where `x` is an event, a vector, array or option of
/// events, or a pair of those with the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a decision takes effect when `decide` returns it"]
pub struct Decision<E, R = ()> {
    events: Vec<E>,
    reply: R,
}

impl<E> Decision<E> {
    /// Nothing happens: the command is accepted without an event.
    pub fn none() -> Self {
        Self { events: Vec::new(), reply: () }
    }

    /// These events happen, in this order.
    pub fn events(events: impl IntoIterator<Item = E>) -> Self {
        Self { events: events.into_iter().collect(), reply: () }
    }

    /// With a reply to the caller.
    pub fn reply<R>(self, reply: R) -> Decision<E, R> {
        Decision { events: self.events, reply }
    }
}

impl<E, R> Decision<E, R> {
    /// The events and the reply.
    pub fn into_parts(self) -> (Vec<E>, R) {
        (self.events, self.reply)
    }
}

impl<E> From<E> for Decision<E> {
    fn from(event: E) -> Self {
        Self { events: vec![event], reply: () }
    }
}

impl<E> From<Vec<E>> for Decision<E> {
    fn from(events: Vec<E>) -> Self {
        Self { events, reply: () }
    }
}

impl<E, const N: usize> From<[E; N]> for Decision<E> {
    fn from(events: [E; N]) -> Self {
        Self { events: events.into(), reply: () }
    }
}

impl<E> From<Option<E>> for Decision<E> {
    fn from(event: Option<E>) -> Self {
        Self { events: event.into_iter().collect(), reply: () }
    }
}

impl<E, R> From<(E, R)> for Decision<E, R> {
    fn from((event, reply): (E, R)) -> Self {
        Self { events: vec![event], reply }
    }
}

impl<E, R> From<(Vec<E>, R)> for Decision<E, R> {
    fn from((events, reply): (Vec<E>, R)) -> Self {
        Self { events, reply }
    }
}
