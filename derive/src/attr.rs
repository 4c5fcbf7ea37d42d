//! What the derives share: their options, and the refusal of generics.
//!
//! The names that emitted code binds begin with `__`: a constant of the program's that happened to
//! have the name would otherwise be compared with, not shadowed.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{DeriveInput, Error, Lit, LitStr, Path, Result, Token, Type};

const NAME_BYTES_MAX: usize = 100;

/// Reads the options of `#[name(..)]`, each at most once, and answers where the traits are: the
/// option `crate`, common to all derives, or `::foldlog`.
pub(crate) fn options(
    input: &DeriveInput,
    name: &str,
    known: &[&str],
    mut take: impl FnMut(&str, ParseStream<'_>) -> Result<()>,
) -> Result<TokenStream> {
    refuse_generics(input)?;
    let mut seen = Vec::new();
    let mut facade = quote!(::foldlog);
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident(name)) {
        attribute.parse_nested_meta(|meta| {
            let option = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if seen.contains(&option) {
                return Err(meta.error(format!("`{option}` is given twice")));
            }
            if option == "crate" {
                let path = meta.value()?.call(Path::parse_mod_style)?;
                facade = quote!(#path);
            } else if known.contains(&option.as_str()) {
                meta.input.parse::<Token![=]>()?;
                take(&option, meta.input)?;
            } else {
                let known = known.iter().map(|known| format!("`{known}`, ")).collect::<String>();
                let text = format!("unknown option of `#[{name}(..)]`: it takes {known}`crate`");
                return Err(meta.error(text));
            }
            seen.push(option);
            Ok(())
        })?;
    }
    Ok(quote!(#facade::__private))
}

/// The value of an option that must be there.
pub(crate) fn required<T>(input: &DeriveInput, value: Option<T>, example: &str) -> Result<T> {
    value.ok_or_else(|| {
        Error::new_spanned(&input.ident, format!("`{}` needs `{example}`", input.ident))
    })
}

/// A name that is stored, and part of longer ones: lower-case letters, digits and `_`.
pub(crate) fn check_plain(name: &LitStr, what: &str) -> Result<()> {
    let text = name.value();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(plain) {
        return Ok(());
    }
    let text = format!("{what} is 1 to {NAME_BYTES_MAX} lower-case letters, digits and `_`");
    Err(Error::new_spanned(name, text))
}

/// A type, and a plain word to those who put it into quotation marks.
pub(crate) fn ty(value: ParseStream<'_>) -> Result<Type> {
    if value.peek(Lit) {
        return Err(value.error("expected a type, without quotation marks"));
    }
    value.parse()
}

/// What is stored needs a name that never depends on a type parameter.
fn refuse_generics(input: &DeriveInput) -> Result<()> {
    if input.generics.params.is_empty() && input.generics.where_clause.is_none() {
        return Ok(());
    }
    let text = "foldlog can't derive this for a generic type: write the trait by hand, or derive \
                it for a type without parameters";
    match &input.generics.where_clause {
        Some(clause) if input.generics.params.is_empty() => Err(Error::new_spanned(clause, text)),
        _ => Err(Error::new_spanned(&input.generics.params, text)),
    }
}
