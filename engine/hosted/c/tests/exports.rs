//! The headers declare what the library exports, and nothing else; `exports.c` takes the address of each.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of this crate") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == ending) => found.push(path),
                false => {}
            }
        }
    }
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a file of this crate")
}

/// The identifier at the end of `text`.
fn last_word(text: &str) -> &str {
    let end = text.trim_end();
    &end[end.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1)..]
}

/// Functions whose prototypes begin a line and are no definition, no type and no macro.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files("include", "h").iter().filter(|path| !path.ends_with("nt/mingw.h")) {
        for line in text(path).lines() {
            let begins = line.starts_with(|c: char| c.is_ascii_uppercase()) || line.starts_with("int ");
            let is_code = ["FORCEINLINE", "SKUA_", "ASSERTED"].iter().any(|word| line.starts_with(word));
            if begins
                && !is_code
                && !line.contains('\\')
                && let Some((before, _)) = line.split_once('(')
            {
                let name = last_word(before);
                if before.contains(' ') && !name.is_empty() {
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names
}

/// Functions that `routines!` exports, and the one that unwinds.
fn exported() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files("src", "rs") {
        let text = text(&path);
        for line in text.lines() {
            let line = line.strip_prefix("    ").filter(|_| text.contains("routines! {")).unwrap_or(line);
            let line = line.strip_prefix("contract ").unwrap_or(line);
            let line = line.strip_prefix("pub(crate) extern \"C-unwind\" ").unwrap_or(line);
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')).map(|(name, _)| name);
            let is_name =
                |name: &&str| name.chars().all(char::is_alphanumeric) && name.contains(char::is_uppercase);
            if let Some(name) = name.filter(is_name) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// What `exports.c` lists.
fn listed() -> BTreeSet<String> {
    let text = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exports.c"));
    let calls = text.lines().filter_map(|line| line.trim().strip_prefix("EXPORTED(")?.strip_suffix(')'));
    calls.map(str::to_owned).collect()
}

#[test]
fn what_is_declared_is_exported_and_the_other_way_round() {
    let (declared, exported) = (declared(), exported());
    assert!(declared.len() > 200, "{declared:?}");
    let missing: Vec<_> = declared.difference(&exported).collect();
    let hidden: Vec<_> = exported.difference(&declared).collect();
    assert!(missing.is_empty() && hidden.is_empty(), "not exported: {missing:?}; not declared: {hidden:?}");
}

#[test]
fn the_program_that_links_all_of_them_lists_all_of_them() {
    assert_eq!(listed(), declared());
}
