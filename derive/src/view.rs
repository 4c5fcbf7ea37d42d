//! `#[derive(View)]`.

mod column;
mod sql_type;

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitInt, LitStr, Result, Type};

use crate::{attr, serde_attr};
use column::{Column, Mark};

const KEYS_MAX: usize = 4;
const EXAMPLE: &str = "#[view(name = \"…\", version = 1)]";

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let (mut name, mut version, mut classes) = (None, None, None);
    let known = ["name", "version", "classes"];
    let foldlog = attr::options(input, "view", &known, |option, value| {
        match option {
            "name" => name = Some(value.parse::<LitStr>()?),
            "version" => version = Some(value.parse::<LitInt>()?),
            _ => classes = Some(value.parse::<LitInt>()?),
        }
        Ok(())
    })?;
    let columns = columns(input)?;
    let name = attr::required(input, name, EXAMPLE)?;
    column::check_name("view", &name.value(), &name)?;
    let version = attr::required(input, version, EXAMPLE)?;
    let version = check_version(&version)?;
    let by = by(input, &columns)?;
    let classes = check_classes(classes.as_ref(), by)?;

    let ident = &input.ident;
    let by = match by {
        By::Stream => quote!(#foldlog::ByStream),
        By::Keys => quote!(#foldlog::ByKeys),
    };
    let (key, blank) = blank(&columns);
    let column_list = columns.iter().map(|Column { name, sql_type, mark, .. }| {
        let is_key = *mark != Mark::None;
        quote!(#foldlog::Column { name: #name, sql_type: #sql_type, key: #is_key })
    });
    Ok(quote! {
        #[automatically_derived]
        impl #foldlog::View for #ident {
            type Key = #key;
            type By = #by;
            const NAME: &'static str = #name;
            const VERSION: u32 = #version;
            const CLASSES: u16 = #classes;
            const COLUMNS: &'static [#foldlog::Column] = &[#(#column_list),*];

            #blank
        }
    })
}

/// How events find the rows: as the two types of the same names say.
#[derive(Clone, Copy)]
enum By {
    Stream,
    Keys,
}

fn columns(input: &DeriveInput) -> Result<Vec<Column<'_>>> {
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        _ => return Err(Error::new_spanned(&input.ident, "the row of a view is a struct")),
    };
    let Fields::Named(fields) = fields else {
        let text = "the row of a view has named fields: they become its columns";
        return Err(Error::new_spanned(&input.ident, text));
    };
    let other = ["rename_all", "transparent", "from", "try_from", "into", "tag", "remote"];
    if let Some((item, name)) = serde_attr::find(&input.attrs, &other) {
        let text = format!(
            "with `{name}` the columns are not what the fields say: rename single fields with \
             `#[serde(rename = \"…\")]`"
        );
        return Err(Error::new_spanned(item, text));
    }
    let mut columns: Vec<Column<'_>> = Vec::new();
    for field in &fields.named {
        let column = Column::of(field)?;
        if columns.iter().any(|earlier| earlier.name == column.name) {
            let text = format!("two fields would be the column `{}`", column.name);
            return Err(Error::new_spanned(column.ident, text));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn by(input: &DeriveInput, columns: &[Column<'_>]) -> Result<By> {
    let keys: Vec<&Column<'_>> = columns.iter().filter(|c| c.mark != Mark::None).collect();
    let Some(first) = keys.first() else {
        let text = format!(
            "`{}` needs a key: mark the field that is the stream's id with `#[key(stream)]`, or \
             the fields that name a row with `#[key]`",
            input.ident
        );
        return Err(Error::new_spanned(&input.ident, text));
    };
    if keys.iter().any(|key| key.mark == Mark::Stream) {
        return match keys.get(1) {
            None => Ok(By::Stream),
            Some(second) => {
                let text = "`#[key(stream)]` is the whole key: no other field may be a key";
                let other = if first.mark == Mark::Stream { second } else { first };
                Err(Error::new_spanned(other.ident, text))
            }
        };
    }
    match keys.get(KEYS_MAX) {
        None => Ok(By::Keys),
        Some(fifth) => {
            let text = format!("a key has at most {KEYS_MAX} fields");
            Err(Error::new_spanned(fifth.ident, text))
        }
    }
}

fn check_version(version: &LitInt) -> Result<u32> {
    match version.base10_parse::<u32>() {
        // The database holds it as an integer.
        Ok(number) if number > 0 && i32::try_from(number).is_ok() => Ok(number),
        _ => Err(Error::new_spanned(version, "a version is a number from 1 to 2147483647")),
    }
}

fn check_classes(classes: Option<&LitInt>, by: By) -> Result<u16> {
    let Some(classes) = classes else {
        return Ok(match by {
            By::Stream => 4,
            By::Keys => 1,
        });
    };
    // With a plain key, classes may share rows: the worker then locks them in the order of the keys.
    match classes.base10_parse::<u16>() {
        Ok(number @ (1 | 4 | 16)) => Ok(number),
        _ => Err(Error::new_spanned(classes, "the work is divided into 1, 4 or 16 classes")),
    }
}

/// The type of the key, and the function that makes a row of it.
fn blank(columns: &[Column<'_>]) -> (TokenStream, TokenStream) {
    let keys: Vec<(&Type, Ident)> = columns
        .iter()
        .filter(|column| column.mark != Mark::None)
        .enumerate()
        .map(|(index, column)| (column.ty, format_ident!("__key_{index}")))
        .collect();
    let mut names = keys.iter().map(|(_, name)| name);
    let values = columns.iter().map(|Column { ident, ty, mark, .. }| match mark {
        Mark::None => {
            let value = quote_spanned!(ty.span()=> ::core::default::Default::default());
            quote!(#ident: #value)
        }
        Mark::Key | Mark::Stream => {
            let name = names.next();
            quote!(#ident: #name)
        }
    });
    let values: Vec<TokenStream> = values.collect();
    let types: Vec<&&Type> = keys.iter().map(|(ty, _)| ty).collect();
    let names: Vec<&Ident> = keys.iter().map(|(_, name)| name).collect();
    let (key, pattern) = match (types.as_slice(), names.as_slice()) {
        ([ty], [name]) => (quote!(#ty), quote!(#name)),
        (types, names) => (quote!((#(#types),*)), quote!((#(#names),*))),
    };
    let blank = quote! {
        fn blank(#pattern: #key) -> Self {
            Self { #(#values),* }
        }
    };
    (key, blank)
}
