//! Look-ups before a decision.

use std::convert::Infallible;

use foldlog_core::{CommandOf, Context, Decider, Decision};

use super::ExecuteError;

/// Looks up what a command needs, before the aggregate decides on it: a price, a rate, a row of
/// another table. The decision itself stays pure, and the facts are part of its command.
///
/// It is written on a type of yours that holds what the look-up needs, with a plain `async fn`, and
/// sent by [`App::execute_with`](crate::App::execute_with):
///
/// ```
/// use foldlog::prelude::*;
/// # use foldlog::Prepare;
/// # #[derive(Event, serde::Serialize, serde::Deserialize)]
/// # #[event(category = "order", id = String)]
/// # enum OrderEvent { Priced { article: u64, cents: i64 } }
/// # #[derive(Default, Aggregate)]
/// # #[aggregate(id = String)]
/// # struct Order { article: u64 }
/// # impl Decider for Order {
/// #     type Event = OrderEvent;
/// #     type Rejection = std::convert::Infallible;
/// #     fn evolve(&mut self, _: &OrderEvent) {}
/// # }
/// # struct SetPrice { cents: i64 }
/// # impl Handles<SetPrice> for Order {
/// #     type Reply = ();
/// #     fn decide(&self, c: &SetPrice, _: &Context<Self>) -> Decided<Self, SetPrice> {
/// #         Ok(OrderEvent::Priced { article: self.article, cents: c.cents }.into())
/// #     }
/// # }
/// # #[derive(Clone)] struct Catalogue;
/// # #[derive(Debug, thiserror::Error)] #[error("no price")] struct NoPrice;
/// # impl Catalogue { async fn price(&self, _: u64) -> Result<i64, NoPrice> { Ok(5) } }
/// struct AtListPrice { catalogue: Catalogue }
///
/// impl Prepare<Order> for AtListPrice {
///     type Command = SetPrice;
///     type Error = NoPrice;
///
///     async fn prepare(&self, order: &Order, _: &Context<Order>) -> Result<SetPrice, NoPrice> {
///         Ok(SetPrice { cents: self.catalogue.price(order.article).await? })
///     }
/// }
///
/// # async fn send(app: App, catalogue: Catalogue, id: String) -> Result<(), Box<dyn std::error::Error>> {
/// app.execute_with(&id, AtListPrice { catalogue }).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Contract
///
/// `prepare` looks things up and changes nothing: it runs anew before each decision, so after a
/// conflict again, on the newer state; it may be dropped at any await; and what it prepared may never
/// be decided.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not prepare a command of `{A}`",
    label = "prepares no command of `{A}`",
    note = "write `impl Prepare<{A}> for {Self}`; a command that needs no look-up is sent by `execute`"
)]
pub trait Prepare<A: Decider>: Send + Sync + 'static {
    /// What is decided, with the facts in it.
    type Command: CommandOf<A>;
    /// Why the look-up failed: [`ExecuteError::Unprepared`] carries it.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The command, for the state that it will be decided on.
    fn prepare(
        &self,
        state: &A,
        cx: &Context<A>,
    ) -> impl Future<Output = Result<Self::Command, Self::Error>> + Send;
}

/// A command that is there already: what [`execute`](crate::App::execute) sends.
#[derive(Debug)]
pub struct Ready<C>(pub(super) C);

/// A command that is prepared first: what [`execute_with`](crate::App::execute_with) sends.
#[derive(Debug)]
pub struct Prepared<P>(pub(super) P);

/// How a command comes to be decided: [`Ready`] or [`Prepared`]. Nothing else can be.
pub trait Sends<A: Decider, C: CommandOf<A>>: sealed::Sealed + Send + Sync + 'static {
    /// Why it may not come to a decision.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Whether something is looked up before.
    #[doc(hidden)]
    const LOOKS_UP: bool;

    #[doc(hidden)]
    fn decide(
        &self,
        state: &A,
        cx: &Context<A>,
    ) -> impl Future<Output = Answer<A, C, Self::Error>> + Send;
}

type Answer<A, C, L> = Result<
    Decision<<A as Decider>::Event, <C as CommandOf<A>>::Reply>,
    ExecuteError<<A as Decider>::Rejection, L>,
>;

impl<A: Decider, C: CommandOf<A>> Sends<A, C> for Ready<C> {
    type Error = Infallible;
    const LOOKS_UP: bool = false;

    async fn decide(&self, state: &A, cx: &Context<A>) -> Answer<A, C, Infallible> {
        self.0.decide(state, cx).map_err(ExecuteError::Rejected)
    }
}

impl<A: Decider, P: Prepare<A>> Sends<A, P::Command> for Prepared<P> {
    type Error = P::Error;
    const LOOKS_UP: bool = true;

    async fn decide(&self, state: &A, cx: &Context<A>) -> Answer<A, P::Command, P::Error> {
        let command = self.0.prepare(state, cx).await.map_err(ExecuteError::Unprepared)?;
        command.decide(state, cx).map_err(ExecuteError::Rejected)
    }
}

mod sealed {
    pub trait Sealed {}
    impl<C> Sealed for super::Ready<C> {}
    impl<P> Sealed for super::Prepared<P> {}
}
