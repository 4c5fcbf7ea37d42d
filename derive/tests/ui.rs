//! The errors a program gets for a wrong model, word for word: see `tests/ui`; and for a wrong call
//! of the facade: see `tests/ui_facade`. They stand together so that their crates are built once.
//!
//! After a deliberate change of a text, run with `TRYBUILD=overwrite` and read the difference.

#[test]
fn what_is_wrong_does_not_compile_and_says_what_to_write() {
    // One run for all cases: what they depend on is built once.
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    cases.compile_fail("tests/ui_facade/*.rs");
}
