//! What is measured, by name.

mod append;
mod busy;
mod command;
mod condition;
mod held;
mod hot;
mod import;
mod live;
mod project;
mod read;
mod size;

use crate::Failure;
use crate::report::Report;
use crate::run::Run;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bench {
    Append,
    AppendOne,
    AppendHot,
    AppendHeld,
    AppendBusy,
    AppendCondition,
    Command,
    Read,
    Import,
    Project,
    Live,
    Size,
}

impl Bench {
    pub const ALL: [Self; 12] = [
        Self::Append,
        Self::AppendOne,
        Self::AppendHot,
        Self::AppendHeld,
        Self::AppendBusy,
        Self::AppendCondition,
        Self::Command,
        Self::Read,
        Self::Import,
        Self::Project,
        Self::Live,
        Self::Size,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::AppendOne => "append-one",
            Self::AppendHot => "append-hot",
            Self::AppendHeld => "append-held",
            Self::AppendBusy => "append-busy",
            Self::AppendCondition => "append-condition",
            Self::Command => "command",
            Self::Read => "read",
            Self::Import => "import",
            Self::Project => "project",
            Self::Live => "live",
            Self::Size => "size",
        }
    }

    pub fn takes_clients(self) -> bool {
        !matches!(self, Self::AppendOne | Self::Read | Self::Import | Self::Project | Self::Live)
    }

    pub fn takes_size(self) -> bool {
        matches!(self, Self::Read | Self::Import | Self::Project | Self::Size)
    }

    pub async fn measure(self, run: &Run<'_>) -> Result<Report, Failure> {
        match self {
            Self::Append => append::many(run).await,
            Self::AppendOne => append::one(run).await,
            Self::AppendHot => hot::measure(run).await,
            Self::AppendHeld => held::measure(run).await,
            Self::AppendBusy => busy::measure(run).await,
            Self::AppendCondition => condition::measure(run).await,
            Self::Command => command::measure(run).await,
            Self::Read => read::measure(run).await,
            Self::Import => import::measure(run).await,
            Self::Project => project::measure(run).await,
            Self::Live => live::measure(run).await,
            Self::Size => size::measure(run).await,
        }
    }
}
