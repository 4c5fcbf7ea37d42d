//! The table of targets.

mod cqrs_es;
mod endpoint;
mod event;
mod fixture;
mod key;
mod limits;
mod metadata;
mod moment;
mod reply;
mod retail_line;
mod schema;
mod snapshot;
mod stored_json;
mod stream;
mod tag;
mod talk;
mod token;
mod tree;

/// A decoder, and what must hold of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which its corpus has, too.
    pub name: &'static str,
    /// Panics if what must hold does not.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("cqrs_es", cqrs_es::check),
    target("endpoint", endpoint::check),
    target("event", event::check),
    target("fixture", fixture::check),
    target("key", key::check),
    target("limits", limits::check),
    target("metadata", metadata::check),
    target("moment", moment::check),
    target("reply", reply::check),
    target("retail_line", retail_line::check),
    target("schema", schema::check),
    target("snapshot", snapshot::check),
    target("stored_json", stored_json::check),
    target("stream", stream::check),
    target("tag", tag::check),
    target("talk", talk::check),
    target("token", token::check),
    target("tree", tree::check),
];
