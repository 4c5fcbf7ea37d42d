//! The type of a column, from the type of the field as it is written.

use syn::{Error, GenericArgument, LitStr, PathArguments, PathSegment, Result, Type};

/// The type of PostgreSQL for a field. A macro sees the spelling of a type only: an alias, or a type
/// of the program's own, is one it does not know.
pub(super) fn of(ty: &Type, key: bool) -> &'static str {
    let unknown = if key { "text" } else { "jsonb" };
    let segment = match ty {
        Type::Group(group) => return of(&group.elem, key),
        Type::Paren(paren) => return of(&paren.elem, key),
        Type::Reference(reference) => return of(&reference.elem, key),
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    };
    let Some(segment) = segment else { return unknown };
    match segment.ident.to_string().as_str() {
        "Option" | "Box" | "Cow" => argument(segment).map_or(unknown, |inner| of(inner, key)),
        "i8" | "u8" | "i16" => "smallint",
        "u16" | "i32" => "integer",
        "u32" | "i64" | "isize" => "bigint",
        "u64" | "usize" | "i128" | "u128" | "Decimal" => "numeric",
        "f32" => "real",
        "f64" => "double precision",
        "bool" => "boolean",
        "String" | "str" | "char" => "text",
        "Uuid" => "uuid",
        "DateTime" => "timestamptz",
        "NaiveDate" => "date",
        "NaiveDateTime" => "timestamp",
        "NaiveTime" => "time",
        _ => unknown,
    }
}

/// The `T` of `Option<T>`.
fn argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(list) = &segment.arguments else { return None };
    list.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Refuses what can't be one type: the text goes into `create table` as it is.
pub(super) fn check(literal: &LitStr) -> Result<()> {
    let text = literal.value();
    let known = |c: char| c.is_ascii_alphanumeric() || " ,()[]_".contains(c);
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(known) && one(&text)
    {
        return Ok(());
    }
    Err(Error::new_spanned(
        literal,
        "a type is written of letters, digits, spaces and `_`, with parentheses around its \
         arguments or brackets for an array: `numeric(12,2)`, `text[]`",
    ))
}

/// Whether brackets are closed as they were opened, and commas stand within parentheses.
fn one(text: &str) -> bool {
    let mut open = Vec::new();
    for c in text.chars() {
        let fits = match c {
            '(' | '[' => {
                open.push(c);
                true
            }
            ')' => open.pop() == Some('('),
            ']' => open.pop() == Some('['),
            ',' => open.last() == Some(&'('),
            _ => true,
        };
        if !fits {
            return false;
        }
    }
    open.is_empty()
}
