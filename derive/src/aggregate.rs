//! `#[derive(Aggregate)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Result, Type};

use crate::attr;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let mut id: Option<Type> = None;
    let foldlog = attr::options(input, "aggregate", &["id"], |_, value| {
        id = Some(attr::ty(value)?);
        Ok(())
    })?;
    let id = attr::required(input, id, "#[aggregate(id = TypeOfTheId)]")?;
    let ident = &input.ident;
    // The span of the id: that is what is wrong when the aggregate's events have another one.
    let clone = quote_spanned!(id.span()=> ::core::clone::Clone::clone(self));
    Ok(quote! {
        #[automatically_derived]
        impl #foldlog::Identifies<#ident> for #id {
            fn id(&self) -> #foldlog::IdOf<#ident> {
                #clone
            }
        }
    })
}
