//! `#[derive(Aggregate)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, LitInt, Result, Type};

use crate::{attr, serde_attr};

/// What serde may be told about a field that a snapshot would then lose.
const LOSES: [&str; 3] = ["skip", "skip_serializing", "skip_deserializing"];

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let (mut id, mut every, mut version) = (None::<Type>, None, None);
    let known = ["id", "snapshot_every", "snapshot_version"];
    let foldlog = attr::options(input, "aggregate", &known, |name, value| {
        match name {
            "id" => id = Some(attr::ty(value)?),
            "snapshot_every" => every = Some(whole::<u64>(value, "a number of events")?),
            _ => version = Some(whole::<u32>(value, "a version")?),
        }
        Ok(())
    })?;
    let id = attr::required(input, id, "#[aggregate(id = TypeOfTheId)]")?;
    let ident = &input.ident;
    let snapshots = match (every, version) {
        (Some((0, span)), _) => {
            let text = "a snapshot needs at least one event: `snapshot_every = 100` takes one whenever \
                        100 events came after the last, and leaving it out takes none";
            return Err(Error::new(span, text));
        }
        (Some((every, span)), version) => {
            refuse_losses(input)?;
            rule(&foldlog, input, every, span, version.map_or(0, |(version, _)| version))
        }
        (None, Some((_, span))) => {
            let text = "`snapshot_version` is of no use without `snapshot_every`";
            return Err(Error::new(span, text));
        }
        (None, None) => TokenStream::new(),
    };
    // The span of the id: that is what is wrong when the aggregate's events have another one.
    let clone = quote_spanned!(id.span()=> ::core::clone::Clone::clone(self));
    Ok(quote! {
        #[automatically_derived]
        impl #foldlog::Identifies<#ident> for #id {
            fn id(&self) -> #foldlog::IdOf<#ident> {
                #clone
            }
            #snapshots
        }
    })
}

/// The rule is made once in a process: its hash takes a while.
fn rule(
    foldlog: &TokenStream,
    input: &DeriveInput,
    every: u64,
    span: Span,
    version: u32,
) -> TokenStream {
    let ident = &input.ident;
    // The span of the option: it is what a state without a schema can't have.
    let new = quote_spanned!(span=> #foldlog::SnapshotRule::<#ident>::new);
    quote! {
        fn snapshots() -> ::core::option::Option<&'static #foldlog::SnapshotRule<#ident>> {
            static __RULE: ::std::sync::OnceLock<#foldlog::SnapshotRule<#ident>> =
                ::std::sync::OnceLock::new();
            ::core::option::Option::Some(__RULE.get_or_init(|| {
                #new(
                    ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#ident)),
                    #every,
                    #version,
                )
            }))
        }
    }
}

fn whole<N>(value: ParseStream<'_>, what: &str) -> Result<(N, Span)>
where
    N: std::str::FromStr,
    N::Err: std::fmt::Display,
{
    if !value.peek(LitInt) {
        return Err(value.error(format!("expected {what}: a whole number from 0 on")));
    }
    let number: LitInt = value.parse()?;
    let wrong = |_| Error::new(number.span(), format!("expected {what}: a whole number from 0 on"));
    Ok((number.base10_parse().map_err(wrong)?, number.span()))
}

/// Only the fields of the state itself are seen here; those further in are for a test to find, by
/// `snapshots_agree`.
fn refuse_losses(input: &DeriveInput) -> Result<()> {
    let fields: Vec<_> = match &input.data {
        Data::Struct(data) => data.fields.iter().collect(),
        Data::Enum(data) => data.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    for field in fields {
        if let Some((item, name)) = serde_attr::find(&field.attrs, &LOSES) {
            let text = format!(
                "`#[serde({name})]` would lose this field in each snapshot: keep it in the state's \
                 JSON, or leave `snapshot_every` out"
            );
            return Err(Error::new_spanned(item, text));
        }
    }
    Ok(())
}
