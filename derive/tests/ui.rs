//! The errors a program gets for a wrong model, word for word: see `tests/ui`.
//!
//! After a deliberate change of a text, run with `TRYBUILD=overwrite` and read the difference.

#[test]
fn a_wrong_model_does_not_compile_and_says_what_to_write() {
    // One run for all cases: what they depend on is built once.
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
