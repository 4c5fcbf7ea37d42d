//! The errors a program gets for a wrong call, word for word: see `tests/ui`.
//!
//! After a deliberate change of a text, run with `TRYBUILD=overwrite` and read the difference. The
//! errors of a wrong model are kept by the derives' own tests.

#[test]
fn a_wrong_call_does_not_compile_and_says_what_to_write() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
