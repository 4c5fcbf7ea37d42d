//! The read side of the app: views, batch handlers, and the workers that keep them.

use async_trait::async_trait;
use foldlog_core::{Error, Fold, Route};
use foldlog_projections::{Projection, Projections, Registered, Status, Views, Workers};

use super::App;
use super::builder::{AppBuilder, Registration, Starting};

impl AppBuilder {
    /// Registers a view: its table is made at the start, and kept by this app's workers.
    pub fn view<V: Fold>(self) -> Self
    where
        V::By: Route<V>,
    {
        self.register(One(Registered::view::<V>()))
    }

    /// Registers a batch handler. It is cloned for each slice class that this process works on.
    pub fn projection<P: Projection + Clone>(self, handler: P) -> Self {
        self.register(One(Registered::projection(handler)))
    }

    /// How this process's workers behave: leases, limits.
    pub fn workers(self, workers: Workers) -> Self {
        self.register(workers)
    }
}

/// A projection on its way to the app; one that can't be is reported at the start.
struct One(Result<Registered, Error>);

#[async_trait]
impl Registration for One {
    async fn start(self: Box<Self>, starting: &mut Starting) -> Result<(), Error> {
        starting.projections.push(self.0?);
        Ok(())
    }
}

#[async_trait]
impl Registration for Workers {
    async fn start(self: Box<Self>, starting: &mut Starting) -> Result<(), Error> {
        starting.worker_options = *self;
        Ok(())
    }
}

impl App {
    /// A registered view, to read from. One that is not registered answers with an error that says
    /// so.
    #[must_use]
    pub fn view<V: Fold>(&self) -> Views<V>
    where
        V::By: Route<V>,
    {
        self.projections().view(self.acts_for().clone())
    }

    /// How the slice classes of all live projections of the database stand.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn status(&self) -> Result<Vec<Status>, Error> {
        self.projections().status().await
    }

    /// Ends a view or batch handler in every process, by its name: workers stop, the view's table
    /// and all progress are thrown away. A program that registers it again begins it anew.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn retire(&self, name: &str) -> Result<(), Error> {
        self.projections().retire(name).await
    }

    fn projections(&self) -> &Projections {
        &self.shared.projections
    }
}
