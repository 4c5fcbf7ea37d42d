//! A field of a view as a column of its table.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Error, Expr, ExprLit, Field, Ident, Lit, LitStr, Meta, Result, Type};

use crate::serde_attr;

use super::sql_type;

/// PostgreSQL cuts names at 63 bytes; foldlog adds to them for indexes and shadows.
const NAME_BYTES_MAX: usize = 50;

/// What a field has to do with the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Key,
    Stream,
}

pub(super) struct Column<'a> {
    pub(super) ident: &'a Ident,
    pub(super) ty: &'a Type,
    pub(super) mark: Mark,
    pub(super) name: String,
    pub(super) sql_type: String,
}

impl<'a> Column<'a> {
    pub(super) fn of(field: &'a Field) -> Result<Self> {
        let Some(ident) = &field.ident else {
            return Err(Error::new_spanned(field, "a column needs a name"));
        };
        let mark = mark(field)?;
        let name = name(field, ident)?;
        let sql_type = match written_type(field)? {
            Some(text) => text,
            None => sql_type::of(&field.ty, mark != Mark::None).to_owned(),
        };
        Ok(Self { ident, ty: &field.ty, mark, name, sql_type })
    }
}

fn mark(field: &Field) -> Result<Mark> {
    let mut mark = Mark::None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("key")) {
        if mark != Mark::None {
            return Err(Error::new_spanned(attribute, "`#[key]` is given twice"));
        }
        mark = if matches!(attribute.meta, Meta::Path(_)) { Mark::Key } else { stream(attribute)? };
    }
    Ok(mark)
}

fn stream(attribute: &Attribute) -> Result<Mark> {
    match attribute.parse_args::<Ident>() {
        Ok(word) if word == "stream" => Ok(Mark::Stream),
        _ => Err(Error::new_spanned(attribute, "write `#[key]` or `#[key(stream)]`")),
    }
}

/// The type given by `#[column(type = "..")]`.
fn written_type(field: &Field) -> Result<Option<String>> {
    let mut written = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("column")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("type") {
                return Err(meta.error("unknown option of `#[column(..)]`: it takes `type`"));
            }
            if written.is_some() {
                return Err(meta.error("`type` is given twice"));
            }
            let text: LitStr = meta.value()?.parse()?;
            sql_type::check(&text)?;
            written = Some(text.value());
            Ok(())
        })?;
    }
    Ok(written)
}

/// The name as serde writes it.
fn name(field: &Field, ident: &Ident) -> Result<String> {
    let lost = ["flatten", "skip", "skip_serializing", "skip_deserializing", "skip_serializing_if"];
    if let Some((item, name)) = serde_attr::find(&field.attrs, &lost) {
        let text = format!(
            "with `{name}` the field is not written as one column: every field of a view is one"
        );
        return Err(Error::new_spanned(item, text));
    }
    let Some((rename, _)) = serde_attr::find(&field.attrs, &["rename"]) else {
        let name = ident.unraw().to_string();
        check_name("column", &name, ident)?;
        return Ok(name);
    };
    match &rename {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                check_name("column", &text.value(), text)?;
                Ok(text.value())
            }
            value => Err(Error::new_spanned(value, "expected a text in quotation marks")),
        },
        _ => Err(Error::new_spanned(
            &rename,
            "a column is written and read by one name: `#[serde(rename = \"…\")]`",
        )),
    }
}

/// A name that PostgreSQL takes without quotation marks, and that foldlog does not use itself.
pub(super) fn check_name(what: &str, name: &str, at: &impl ToTokens) -> Result<()> {
    let error = |text: String| Err(Error::new_spanned(at, text));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.chars().all(plain) || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return error(format!(
            "`{name}` can't be the name of a {what}: it is made of lower-case letters, digits and \
             `_`, and does not begin with a digit"
        ));
    }
    if name.len() > NAME_BYTES_MAX {
        return error(format!("the name of a {what} may have at most {NAME_BYTES_MAX} bytes"));
    }
    if name == "tenant" || name.starts_with("foldlog_") {
        return error(format!(
            "`{name}` can't be the name of a {what}: `tenant` and all that begins with `foldlog_` \
             are foldlog's own"
        ));
    }
    Ok(())
}
