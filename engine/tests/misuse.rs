//! What must not compile does not. The expected messages are those of the toolchain that CI uses;
//! `TRYBUILD=overwrite cargo test -p skua-engine --test misuse` writes them anew.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}
