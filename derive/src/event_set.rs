//! `#[derive(EventSet)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Error, Fields, Ident, Result, Type, Variant};

use crate::attr;

/// A variant: the events of one category, perhaps after the id of their stream.
struct Member<'a> {
    variant: &'a Ident,
    id: Option<&'a Type>,
    event: &'a Type,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let foldlog = attr::options(input, "event_set", &[], |_, _| Ok(()))?;
    let members = members(input)?;
    let ident = &input.ident;
    let categories: Vec<TokenStream> = members
        .iter()
        .map(|Member { event, .. }| {
            quote_spanned!(event.span()=> <#event as #foldlog::Event>::CATEGORY)
        })
        .collect();
    let reads = members.iter().map(|member| read(member, &foldlog));
    let twice = format!(
        "two variants of `{ident}` hold events of the same category: an event could not be told \
         apart"
    );
    let distinct = quote_spanned! {ident.span()=>
        const _: () = ::core::assert!(
            #foldlog::distinct(<#ident as #foldlog::EventSet>::CATEGORIES),
            #twice
        );
    };
    Ok(quote! {
        #[automatically_derived]
        impl #foldlog::EventSet for #ident {
            type Stream = #foldlog::StreamName;
            const CATEGORIES: &'static [&'static str] = &[#(#categories),*];

            fn decode(__raw: &#foldlog::RawEvent) -> ::core::result::Result<Self, #foldlog::Error> {
                let __category = __raw.stream.category();
                #(if __category == #categories {
                    return #reads;
                })*
                ::core::result::Result::Err(#foldlog::Error::new(
                    #foldlog::ErrorKind::Decode,
                    ::std::format!(
                        "{} is of category {}, which {} does not know: it reads {}",
                        __raw.place(),
                        __category,
                        ::core::any::type_name::<#ident>(),
                        <#ident as #foldlog::EventSet>::CATEGORIES.join(", "),
                    ),
                ))
            }
            fn stream(
                __name: &#foldlog::StreamName,
            ) -> ::core::result::Result<#foldlog::StreamName, #foldlog::Error> {
                ::core::result::Result::Ok(::core::clone::Clone::clone(__name))
            }
        }
        #distinct
    })
}

fn read(member: &Member<'_>, foldlog: &TokenStream) -> TokenStream {
    let Member { variant, id, event } = member;
    let decode = quote!(<#event as #foldlog::EventSet>::decode(__raw)?);
    let id = id.map(|id| {
        // The span of the id: that is what is wrong when the events have another one.
        quote_spanned!(id.span()=> <#event as #foldlog::EventSet>::stream(&__raw.stream)?,)
    });
    quote!(::core::result::Result::Ok(Self::#variant(#id #decode)))
}

fn members(input: &DeriveInput) -> Result<Vec<Member<'_>>> {
    let Data::Enum(DataEnum { variants, .. }) = &input.data else {
        let text = "a union of events is an enum with a variant for each category";
        return Err(Error::new_spanned(&input.ident, text));
    };
    if variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "a union of events has at least one variant"));
    }
    variants.iter().map(member).collect()
}

fn member(variant: &Variant) -> Result<Member<'_>> {
    if let Fields::Unnamed(fields) = &variant.fields {
        let mut types = fields.unnamed.iter().map(|field| &field.ty);
        match (types.next(), types.next(), types.next()) {
            (Some(event), None, None) => {
                return Ok(Member { variant: &variant.ident, id: None, event });
            }
            (Some(id), Some(event), None) => {
                return Ok(Member { variant: &variant.ident, id: Some(id), event });
            }
            _ => {}
        }
    }
    let name = &variant.ident;
    let text = format!(
        "a variant holds the events of one category, alone or after the id of their stream: \
         `{name}(TheEvents)` or `{name}(TheId, TheEvents)`"
    );
    Err(Error::new_spanned(variant, text))
}
