//! `#[derive(Key)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Error, Field, Fields, Ident, LitStr, Member, Result};

use crate::attr;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let mut tag: Option<LitStr> = None;
    let foldlog = attr::options(input, "key", &["tag"], |_, value| {
        tag = Some(value.parse()?);
        Ok(())
    })?;
    let tag = tag.map(|name| tag_key(input, &name, &foldlog)).transpose()?;
    let (write, read) = match &input.data {
        Data::Struct(data) => parts(&input.ident, &data.fields, &foldlog)?,
        Data::Enum(data) => names(&input.ident, data)?,
        Data::Union(_) => {
            return Err(Error::new_spanned(&input.ident, "a union can't be a key"));
        }
    };
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #foldlog::Key for #ident {
            fn to_key(&self) -> ::std::borrow::Cow<'_, str> {
                #write
            }
            fn from_key(__text: &str) -> ::core::option::Option<Self> {
                #read
            }
        }
        #tag
    })
}

/// The name of the tag that such a key makes.
fn tag_key(input: &DeriveInput, name: &LitStr, foldlog: &TokenStream) -> Result<TokenStream> {
    attr::check_plain(name, "the name of a tag")?;
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #foldlog::TagKey for #ident {
            const TAG: &'static str = #name;
        }
    })
}

/// A struct: its one field, or its fields joined.
fn parts(
    ident: &Ident,
    fields: &Fields,
    foldlog: &TokenStream,
) -> Result<(TokenStream, TokenStream)> {
    let members: Vec<Member> = fields.members().collect();
    // The span of each type: that is what is wrong when it is no key.
    let calls = fields.iter().map(|Field { ty, .. }| {
        let key = quote_spanned!(ty.span()=> <#ty as #foldlog::Key>);
        (quote_spanned!(ty.span()=> #key::to_key), quote_spanned!(ty.span()=> #key::from_key))
    });
    let (to_key, from_key): (Vec<TokenStream>, Vec<TokenStream>) = calls.unzip();
    match (members.as_slice(), to_key.as_slice(), from_key.as_slice()) {
        ([], _, _) => Err(Error::new_spanned(ident, "a key needs a field to be told by")),
        ([member], [to_key], [from_key]) => {
            let write = quote!(#to_key(&self.#member));
            let read = quote!(::core::option::Option::Some(Self { #member: #from_key(__text)? }));
            Ok((write, read))
        }
        _ => {
            let write = quote! {
                ::std::borrow::Cow::Owned(#foldlog::join(&[#(#to_key(&self.#members)),*]))
            };
            let next = quote!(::core::iter::Iterator::next(&mut __pieces)?);
            let read = quote! {
                let mut __pieces = ::core::iter::IntoIterator::into_iter(#foldlog::split(__text)?);
                let __key = Self { #(#members: #from_key(&#next)?,)* };
                match ::core::iter::Iterator::next(&mut __pieces) {
                    ::core::option::Option::None => ::core::option::Option::Some(__key),
                    ::core::option::Option::Some(_) => ::core::option::Option::None,
                }
            };
            Ok((write, read))
        }
    }
}

/// An enum: the names of its variants.
fn names(ident: &Ident, data: &DataEnum) -> Result<(TokenStream, TokenStream)> {
    if data.variants.is_empty() {
        return Err(Error::new_spanned(ident, "a key needs a variant to be told by"));
    }
    let mut names: Vec<String> = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let text = "a key that is an enum has variants without fields: put the rest into a \
                        struct around it";
            return Err(Error::new_spanned(variant, text));
        }
        let name = snake_case(&variant.ident);
        if names.contains(&name) {
            let text = format!("two variants would be written `{name}`: rename one");
            return Err(Error::new_spanned(&variant.ident, text));
        }
        names.push(name);
    }
    let variants: Vec<&Ident> = data.variants.iter().map(|variant| &variant.ident).collect();
    let write = quote! {
        ::std::borrow::Cow::Borrowed(match self { #(Self::#variants => #names,)* })
    };
    let read = quote! {
        match __text {
            #(#names => ::core::option::Option::Some(Self::#variants),)*
            _ => ::core::option::Option::None,
        }
    };
    Ok((write, read))
}

/// As serde's `rename_all = "snake_case"` writes it, so that a key looks alike in a name and in JSON.
fn snake_case(ident: &Ident) -> String {
    let mut name = String::new();
    for c in syn::ext::IdentExt::unraw(ident).to_string().chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}
