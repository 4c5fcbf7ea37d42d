//! Stands for the facade, which the derives can't depend on: its hidden module and nothing else.

pub(crate) mod __private {
    pub(crate) use foldlog_core::derived::*;
    pub(crate) use foldlog_core::*;
}
