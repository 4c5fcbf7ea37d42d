use foldlog_core::Key as _;
use foldlog_derive::Key;
use uuid::Uuid;

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AccountId(pub(crate) Uuid);

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Sku {
    code: String,
}

#[derive(Key, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Currency {
    Euro,
    UsDollar,
    r#Final,
}

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Pair(String, String);

#[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Price {
    pair: Pair,
    r#type: Currency,
    step: u32,
}

// Constants in lower case, and types named as those of the prelude, must not get into emitted code.
#[allow(non_upper_case_globals, dead_code, reason = "bait")]
mod bait {
    use foldlog_derive::Key;

    const text: &str = "";
    const key: u8 = 0;
    const pieces: u8 = 0;
    struct Option;
    struct Some;
    struct None;

    #[derive(Key, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    struct Both(String, u16);
}

fn comes_back<K: foldlog_core::Key>(key: &K, text: &str) {
    assert_eq!(key.to_key(), text);
    assert_eq!(K::from_key(text).as_ref(), Some(key));
}

#[test]
fn a_key_of_one_field_is_written_as_the_field() {
    let id = Uuid::from_u128(7);
    comes_back(&AccountId(id), "00000000-0000-0000-0000-000000000007");
    comes_back(&Sku { code: "a/b%".into() }, "a/b%");
    assert_eq!(AccountId::from_key("7"), None);
}

#[test]
fn a_key_of_an_enum_is_the_name_of_the_variant() {
    comes_back(&Currency::Euro, "euro");
    comes_back(&Currency::UsDollar, "us_dollar");
    comes_back(&Currency::r#Final, "final");
    for other in ["Euro", "euro ", "", "usdollar"] {
        assert_eq!(Currency::from_key(other), None, "{other:?}");
    }
}

#[test]
fn keys_within_keys_come_back_whole() {
    let pair = |a: &str, b: &str| Pair(a.into(), b.into());
    comes_back(&pair("a/b", ""), "a%2Fb/");
    comes_back(
        &Price { pair: pair("a/", "%"), r#type: Currency::UsDollar, step: 7 },
        "a%252F%2F%2525/us_dollar/7",
    );
}

#[test]
fn a_text_with_too_few_or_too_many_parts_is_no_key() {
    for text in ["", "a", "a/b/c", "a%2fb/c", "a/%"] {
        assert_eq!(Pair::from_key(text), None, "{text:?}");
    }
    for text in ["a%2Fb/euro/07", "a%2Fb/yen/7", "a/euro/7", "a%2Fb/euro/7/"] {
        assert_eq!(Price::from_key(text), None, "{text:?}");
    }
}
