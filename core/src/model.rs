//! Decision models: what a decision needs to know, folded from the events of a query.

use crate::error::Error;
use crate::event::{EventSet, RawEvent, Recorded};
use crate::query::Query;

/// What a decision needs to know, folded from the events of a query: how many seats of a course are
/// taken, whether an address is in use.
///
/// Small models compose: a boundary that rests on several takes a tuple of them, and reads their
/// events at once.
///
/// # Contract
///
/// `evolve` is pure, as [`Decider::evolve`](crate::Decider::evolve) is. It is given every event that
/// `query` selects, in the order of their positions, and no other; and what the model is asked about,
/// for one event may speak of two such things, as a transfer does of the accounts it goes from and to.
/// [`Default`] is what is known where there is no event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a decision model",
    label = "does not fold the events of a query",
    note = "write `impl Model for {Self}`; several models make a tuple of up to six"
)]
pub trait Model: Default + Send + Sync + 'static {
    /// The events it reads: one type, or a union.
    type Event: EventSet;
    /// What it is asked about: an id, or several.
    type About: Send + Sync + 'static;

    /// Which events it rests on.
    fn query(about: &Self::About) -> Query;

    /// Takes in an event, with its stream, its time and all else that was recorded about it.
    fn evolve(&mut self, event: &Recorded<Self::Event>, about: &Self::About);
}

/// One [`Model`], or a tuple of them. Never implemented by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a decision model, nor a tuple of them",
    label = "a boundary rests on a model or a tuple of models",
    note = "write `impl Model for {Self}`; several models make a tuple of up to six"
)]
pub trait Models: Default + Send + Sync + 'static {
    /// What they are asked about, each in turn.
    type About: Send + Sync + 'static;

    /// The query of each.
    fn queries(about: &Self::About) -> Vec<Query>;

    /// Takes in an event that these of the models selected, by their places.
    ///
    /// # Errors
    ///
    /// As [`RawEvent::typed`].
    fn evolve(
        &mut self,
        raw: &RawEvent,
        models: &[usize],
        about: &Self::About,
    ) -> Result<(), Error>;
}

#[diagnostic::do_not_recommend]
impl<M: Model> Models for M {
    type About = M::About;

    fn queries(about: &M::About) -> Vec<Query> {
        vec![M::query(about)]
    }

    fn evolve(&mut self, raw: &RawEvent, _: &[usize], about: &M::About) -> Result<(), Error> {
        Model::evolve(self, &raw.typed::<M::Event>()?, about);
        Ok(())
    }
}

macro_rules! tuples {
    ($($model:ident $place:tt),+) => {
        #[diagnostic::do_not_recommend]
        impl<$($model: Model),+> Models for ($($model,)+) {
            type About = ($($model::About,)+);

            fn queries(about: &Self::About) -> Vec<Query> {
                vec![$($model::query(&about.$place)),+]
            }

            fn evolve(
                &mut self,
                raw: &RawEvent,
                models: &[usize],
                about: &Self::About,
            ) -> Result<(), Error> {
                $(if models.contains(&$place) {
                    Model::evolve(&mut self.$place, &raw.typed::<$model::Event>()?, &about.$place);
                })+
                Ok(())
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
