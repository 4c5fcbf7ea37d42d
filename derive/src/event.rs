//! `#[derive(Event)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, LitStr, Meta, Result, Type};

use crate::{attr, serde_attr};

const CATEGORY_BYTES_MAX: usize = 100;
const EXAMPLE: &str = "#[event(category = \"…\", id = TypeOfTheId)]";

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let mut category: Option<LitStr> = None;
    let mut id: Option<Type> = None;
    let foldlog = attr::options(input, "event", &["category", "id"], |option, value| {
        match option {
            "category" => category = Some(value.parse()?),
            _ => id = Some(attr::ty(value)?),
        }
        Ok(())
    })?;
    check_shape(input)?;
    let category = attr::required(input, category, EXAMPLE)?;
    check_category(&category)?;
    let id = attr::required(input, id, EXAMPLE)?;

    let ident = &input.ident;
    // The span of the enum's name: that is where a missing `Deserialize` or `Serialize` is reported.
    let decode = quote_spanned!(ident.span()=> #foldlog::decode::<#ident>(__raw));
    let kinds = quote_spanned!(ident.span()=> #foldlog::kinds::<#ident>());
    let encode = quote_spanned!(ident.span()=> #foldlog::encode::<#ident>(self));
    let tags = tags(input, &foldlog)?;
    // Nothing is asked of an event without tags.
    let encode = if tags.is_some() {
        quote! {
            let mut __encoded = #encode?;
            __encoded.tags = #foldlog::Event::tags(self)?;
            ::core::result::Result::Ok(__encoded)
        }
    } else {
        encode
    };
    Ok(quote! {
        #[automatically_derived]
        impl #foldlog::EventSet for #ident {
            type Stream = #id;
            const CATEGORIES: &'static [&'static str] = &[#category];

            fn decode(__raw: &#foldlog::RawEvent) -> ::core::result::Result<Self, #foldlog::Error> {
                #decode
            }
            fn stream(
                __name: &#foldlog::StreamName,
            ) -> ::core::result::Result<#id, #foldlog::Error> {
                ::core::option::Option::ok_or_else(__name.id::<#ident>(), || {
                    #foldlog::Error::new(
                        #foldlog::ErrorKind::Decode,
                        ::std::format!(
                            "stream {} is not named by {} and a key of type {}: its events can't \
                             be read as {}",
                            __name,
                            #category,
                            ::core::any::type_name::<#id>(),
                            ::core::any::type_name::<#ident>(),
                        ),
                    )
                })
            }
        }

        #[automatically_derived]
        impl #foldlog::Event for #ident {
            type Id = #id;
            const CATEGORY: &'static str = #category;

            fn kinds() -> ::core::result::Result<
                &'static [&'static str],
                #foldlog::Error,
            > {
                #kinds
            }
            fn encode(&self) -> ::core::result::Result<#foldlog::Encoded, #foldlog::Error> {
                #encode
            }
            #tags
        }
    })
}

/// The method that collects the tags, if a field has one.
fn tags(input: &DeriveInput, foldlog: &TokenStream) -> Result<Option<TokenStream>> {
    let Data::Enum(data) = &input.data else { return Ok(None) };
    let mut arms = Vec::new();
    for variant in &data.variants {
        let mut members = Vec::new();
        let mut names = Vec::new();
        let mut puts = Vec::new();
        for (member, field) in variant.fields.members().zip(&variant.fields) {
            let mut marks = field.attrs.iter().filter(|mark| mark.path().is_ident("tag"));
            let Some(mark) = marks.next() else { continue };
            if let (Meta::List(_) | Meta::NameValue(_), _) | (_, Some(_)) =
                (&mark.meta, marks.next())
            {
                let text = "a plain `#[tag]`, once: the type of the field names the tag, by its \
                            `#[key(tag = \"…\")]`";
                return Err(Error::new_spanned(mark, text));
            }
            let name = quote::format_ident!("__tag{}", names.len());
            let ty = &field.ty;
            // The span of the type: that is what is wrong when it can't tag.
            puts.push(quote_spanned! {ty.span()=>
                <#ty as #foldlog::TagField>::put(#name, &mut __tags)?;
            });
            members.push(member);
            names.push(name);
        }
        if !members.is_empty() {
            let ident = &variant.ident;
            arms.push(quote!(Self::#ident { #(#members: #names,)* .. } => { #(#puts)* }));
        }
    }
    if arms.is_empty() {
        return Ok(None);
    }
    Ok(Some(quote! {
        fn tags(&self) -> ::core::result::Result<
            ::std::vec::Vec<#foldlog::Tag>,
            #foldlog::Error,
        > {
            let mut __tags = ::std::vec::Vec::new();
            #[allow(unreachable_patterns)]
            match self {
                #(#arms)*
                _ => {}
            }
            ::core::result::Result::Ok(__tags)
        }
    }))
}

/// The name of a variant is stored as the type of the event: serde must write it, and outside.
fn check_shape(input: &DeriveInput) -> Result<()> {
    let Data::Enum(data) = &input.data else {
        let text = "events are an enum with a variant for each type of event";
        return Err(Error::new_spanned(&input.ident, text));
    };
    if data.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "a category has at least one type of event"));
    }
    let hidden = ["tag", "untagged", "content", "from", "try_from", "into", "transparent"];
    if let Some((item, name)) = serde_attr::find(&input.attrs, &hidden) {
        let text = format!(
            "`{name}` hides the type of the event from foldlog, which stores it beside the \
             payload: leave the enum in serde's default form"
        );
        return Err(Error::new_spanned(item, text));
    }
    let lost = ["untagged", "other", "skip", "skip_serializing", "skip_deserializing"];
    let variants = data.variants.iter().flat_map(|variant| &variant.attrs);
    if let Some(mark) = input.attrs.iter().chain(variants).find(|mark| mark.path().is_ident("tag"))
    {
        return Err(Error::new_spanned(mark, "`#[tag]` marks a field, whose value is the tag"));
    }
    for variant in &data.variants {
        if let Some((item, name)) = serde_attr::find(&variant.attrs, &lost) {
            let text = format!(
                "with `{name}` an event of this type can't be written and read back by its name: \
                 a type of event is stored for ever"
            );
            return Err(Error::new_spanned(item, text));
        }
    }
    Ok(())
}

fn check_category(category: &LitStr) -> Result<()> {
    let text = category.value();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !text.is_empty() && text.len() <= CATEGORY_BYTES_MAX && text.chars().all(plain) {
        return Ok(());
    }
    let text = format!(
        "a category is 1 to {CATEGORY_BYTES_MAX} lower-case letters, digits and `_`; a hyphen \
         parts it from the id in the name of a stream"
    );
    Err(Error::new_spanned(category, text))
}
