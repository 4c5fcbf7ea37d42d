//! The attributes of serde, as far as they decide what foldlog stores.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The items of all `#[serde(..)]`. What serde itself does not understand is left to serde.
pub(crate) fn items(attributes: &[Attribute]) -> Vec<Meta> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
        .filter_map(|attribute| {
            attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()
        })
        .flatten()
        .collect()
}

/// The first item with one of these names, and its name.
pub(crate) fn find(
    attributes: &[Attribute],
    names: &[&'static str],
) -> Option<(Meta, &'static str)> {
    items(attributes).into_iter().find_map(|item| {
        let name = names.iter().find(|name| item.path().is_ident(name))?;
        Some((item, *name))
    })
}
