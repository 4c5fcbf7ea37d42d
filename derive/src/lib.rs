//! Derive macros of foldlog.
//!
//! Programs use them through `foldlog`, which re-exports them beside the traits they implement. What
//! they emit names `::foldlog::__private`; every derive takes `crate = some::path` in its attribute
//! for a program that re-exports foldlog under another name: `some::path::__private` is used then.

mod aggregate;
mod attr;
mod event;
mod event_set;
mod key;
mod serde_attr;
mod view;

use proc_macro::TokenStream;
use syn::DeriveInput;

/// Makes a type the name of a stream or of a row.
///
/// - A struct with one field is written as that field: `struct AccountId(Uuid)`.
/// - A struct with several fields is written as their texts, joined by `/`:
///   `struct Seat { hall: String, row: u32 }` is `Main/7`. A `/` within a part is escaped.
/// - An enum of unit variants is written as the variant's name in `snake_case`:
///   `enum Currency { Euro, UsDollar }` is `euro` or `us_dollar`.
///
/// `#[key(tag = "course")]` names the tag by which events are marked with such a key, in fields that
/// have `#[tag]`.
///
/// Each field must be a key itself. The text is stored for ever: the order of the fields of a struct
/// and the names of the variants of an enum can't change any more.
///
/// ```text
/// #[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
/// struct AccountId(Uuid);
/// ```
#[proc_macro_derive(Key, attributes(key))]
pub fn derive_key(input: TokenStream) -> TokenStream {
    expand(input, key::expand)
}

/// Makes an enum the events of one category.
///
/// `#[event(category = "…", id = …)]` takes the category (lower-case letters, digits and `_`, at most
/// 100 bytes) and the type of the id; the streams are then named `category-id`. The enum also needs
/// serde's `Serialize` and `Deserialize`: the name that serde gives to a variant is stored as the
/// type of the event, so it may be renamed with `#[serde(rename = "…")]`, but not hidden in the
/// payload by `#[serde(tag = "…")]` and the like.
///
/// A field marked `#[tag]` tags the event: its type is a key with a tag, or an option or a vector of
/// them. Decisions beyond one stream are drawn by tags.
///
/// ```text
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(category = "account", id = AccountId)]
/// enum AccountEvent { Opened { owner: String }, Deposited { cents: i64 }, Closed }
/// ```
#[proc_macro_derive(Event, attributes(event, tag))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    expand(input, event::expand)
}

/// Makes an enum the union of several event types, for a view or a handler that reads them all.
///
/// Each variant holds the events of one category, alone or after the id of their stream.
///
/// ```text
/// #[derive(EventSet)]
/// enum Activity { Account(AccountEvent), Order(OrderId, OrderEvent) }
/// ```
#[proc_macro_derive(EventSet, attributes(event_set))]
pub fn derive_event_set(input: TokenStream) -> TokenStream {
    expand(input, event_set::expand)
}

/// Says which id names an aggregate, so that `execute(&id, command)` needs no type names.
///
/// - `snapshot_every = 100` stores a snapshot of the state whenever 100 events came after the last one,
///   and loads go on from it. The state then needs `Serialize`, `Deserialize` and schemars'
///   `JsonSchema`. A snapshot is left alone once the schema of the state has changed;
/// - `snapshot_version = 2` says that by hand: raise it when `evolve` makes something else of events
///   that are stored already.
///
/// An id names one aggregate. A second aggregate over the same streams leaves the derive out and is
/// named by hand: `app.of::<Limits>()`.
///
/// ```text
/// #[derive(Default, Aggregate)]
/// #[aggregate(id = AccountId)]
/// struct Account { open: bool, cents: i64 }
/// ```
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn derive_aggregate(input: TokenStream) -> TokenStream {
    expand(input, aggregate::expand)
}

/// Makes a struct the row of a view, with a column per field.
///
/// - `#[view(name = "…", version = 1)]` names the table; raise the version when the meaning of the
///   rows changes. `classes = 16` (or 1; 4 if it is left out) says into how many classes the work of
///   a view by stream is divided.
/// - `#[key(stream)]` marks the one field that holds the id of the stream; `#[key]` marks one to four
///   fields that make a key of their own, and asks for `impl Keyed`.
/// - A column is named as serde writes the field. Its type follows from the type of the field as it
///   is written: numbers, `bool`, texts, `Uuid`, `Decimal`, dates and times have one of their own,
///   any other key is `text` and any other field is `jsonb`. `#[column(type = "numeric(12,2)")]`
///   says otherwise.
/// - Fields that are no key need `Default`: a blank row is made of it.
///
/// ```text
/// #[derive(View, Serialize, Deserialize)]
/// #[view(name = "balance", version = 1)]
/// struct Balance { #[key(stream)] account: AccountId, cents: i64 }
/// ```
#[proc_macro_derive(View, attributes(view, key, column))]
pub fn derive_view(input: TokenStream) -> TokenStream {
    expand(input, view::expand)
}

fn expand(
    input: TokenStream,
    derive: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    syn::parse(input)
        .and_then(|input| derive(&input))
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
