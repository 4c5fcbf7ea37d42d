//! Writing: an enum taken apart into the name of its variant and the JSON of its content.

use serde::Serialize;
use serde::ser::{Error as _, Impossible, Serializer};
use serde_json::Error;
use serde_json::value::RawValue;

use crate::event::Encoded;

pub(super) fn parts<E: Serialize>(event: &E) -> Result<Encoded, Error> {
    event.serialize(Split)
}

/// Takes variants of an enum and nothing else.
struct Split;

type Json = serde_json::Serializer<Vec<u8>>;

fn encoded(kind: &'static str, json: Json) -> Result<Encoded, Error> {
    // serde_json writes UTF-8 and well-formed JSON; the check is the price of the type.
    let text = String::from_utf8(json.into_inner()).map_err(Error::custom)?;
    Ok(Encoded { kind, payload: RawValue::from_string(text)?, tags: Vec::new() })
}

/// The fields of a variant on their way: JSON text that lacks its closing bracket.
struct Fields {
    kind: &'static str,
    json: Vec<u8>,
    close: u8,
}

impl Fields {
    fn new(kind: &'static str, open: u8, close: u8) -> Self {
        Self { kind, json: vec![open], close }
    }

    fn push<T: Serialize + ?Sized>(&mut self, name: Option<&str>, value: &T) -> Result<(), Error> {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        if let Some(name) = name {
            serde_json::to_writer(&mut self.json, name)?;
            self.json.push(b':');
        }
        serde_json::to_writer(&mut self.json, value)
    }

    fn finish(mut self) -> Result<Encoded, Error> {
        self.json.push(self.close);
        encoded(self.kind, Json::new(self.json))
    }
}

impl serde::ser::SerializeTupleVariant for Fields {
    type Ok = Encoded;
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push(None, value)
    }
    fn end(self) -> Result<Encoded, Error> {
        self.finish()
    }
}

impl serde::ser::SerializeStructVariant for Fields {
    type Ok = Encoded;
    type Error = Error;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.push(Some(name), value)
    }
    fn end(self) -> Result<Encoded, Error> {
        self.finish()
    }
}

fn refused<T>() -> Result<T, Error> {
    Err(Error::custom("an event must be an enum in serde's default form"))
}

macro_rules! refuse {
    ($($method:ident($($arg:ty),*);)*) => {$(
        fn $method(self, $(_: $arg),*) -> Result<Encoded, Error> {
            refused()
        }
    )*};
}

impl Serializer for Split {
    type Ok = Encoded;
    type Error = Error;
    type SerializeSeq = Impossible<Encoded, Error>;
    type SerializeTuple = Impossible<Encoded, Error>;
    type SerializeTupleStruct = Impossible<Encoded, Error>;
    type SerializeTupleVariant = Fields;
    type SerializeMap = Impossible<Encoded, Error>;
    type SerializeStruct = Impossible<Encoded, Error>;
    type SerializeStructVariant = Fields;

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Encoded, Error> {
        encoded(variant, Json::new(b"null".to_vec()))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Encoded, Error> {
        encoded(variant, Json::new(serde_json::to_vec(value)?))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Fields, Error> {
        Ok(Fields::new(variant, b'[', b']'))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Fields, Error> {
        Ok(Fields::new(variant, b'{', b'}'))
    }

    refuse! {
        serialize_bool(bool); serialize_i8(i8); serialize_i16(i16); serialize_i32(i32);
        serialize_i64(i64); serialize_u8(u8); serialize_u16(u16); serialize_u32(u32);
        serialize_u64(u64); serialize_f32(f32); serialize_f64(f64); serialize_char(char);
        serialize_str(&str); serialize_bytes(&[u8]); serialize_none(); serialize_unit();
        serialize_unit_struct(&'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Encoded, Error> {
        refused()
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<Encoded, Error> {
        refused()
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        refused()
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        refused()
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        refused()
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        refused()
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        refused()
    }
}
