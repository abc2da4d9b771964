//! The lists of what each image may import, and the comparison with what it does.

use std::collections::{BTreeMap, BTreeSet};

use super::pe::Import;

/// Every list in the tree, by the name of the image it belongs to.
const LISTS: [(&str, &str); 6] = [
    ("skua.sys", include_str!("imports/skua.sys.txt")),
    ("forward.sys", include_str!("imports/forward.sys.txt")),
    ("cforward.sys", include_str!("imports/cforward.sys.txt")),
    ("skua.exe", include_str!("imports/skua.exe.txt")),
    ("ntosshim.exe", include_str!("imports/ntosshim.exe.txt")),
    ("wskio.sys", include_str!("imports/wskio.sys.txt")),
];

/// What an image may import, and must.
pub(super) struct List {
    /// By library in lower case: its functions, or none for a library of which any may be imported.
    libraries: BTreeMap<String, Option<BTreeSet<String>>>,
}

impl List {
    /// The list for the image called `name`.
    pub(super) fn of(name: &str) -> Option<Self> {
        LISTS.iter().find(|(image, _)| *image == name).map(|(_, text)| Self::parse(text))
    }

    /// One import a line, library and function; `*` stands for any function. What follows a `#` is for the reader.
    pub(super) fn parse(text: &str) -> Self {
        let mut libraries: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let (Some(library), Some(function)) = (words.next(), words.next()) else { continue };
            let functions = libraries.entry(library.to_lowercase()).or_insert_with(|| Some(BTreeSet::new()));
            if function == "*" {
                *functions = None;
            } else if let Some(functions) = functions {
                functions.insert(function.to_owned());
            }
        }
        Self { libraries }
    }

    /// Every difference between the list and `imports`, as a sentence.
    pub(super) fn differences(&self, imports: &[Import]) -> Vec<String> {
        let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for import in imports {
            found.entry(import.library.to_lowercase()).or_default().insert(&import.function);
        }
        let mut differences = Vec::new();
        for (library, functions) in &found {
            match self.libraries.get(library) {
                None => differences.push(format!("imports {library}, which is not on its list")),
                Some(None) => {}
                Some(Some(listed)) => differences.extend(
                    functions
                        .iter()
                        .filter(|function| !listed.contains(**function))
                        .map(|function| format!("imports {library} {function}, which is not on its list")),
                ),
            }
        }
        for (library, listed) in &self.libraries {
            let imported = found.get(library);
            if imported.is_none() {
                differences.push(format!("imports nothing of {library}, which is on its list"));
            }
            let missing = listed
                .iter()
                .flatten()
                .filter(|function| imported.is_some_and(|functions| !functions.contains(function.as_str())));
            differences.extend(
                missing.map(|function| format!("does not import {library} {function}, which is on its list")),
            );
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(library: &str, function: &str) -> Import {
        Import { library: library.to_owned(), function: function.to_owned(), slot: 0 }
    }

    #[test]
    fn a_list_is_what_must_be_imported_and_all_that_may() {
        let list = List::parse("# why\nntoskrnl.exe A # because\nntoskrnl.exe B\nuser32.dll *\n\n");
        let exact = [import("NTOSKRNL.exe", "A"), import("ntoskrnl.exe", "B"), import("USER32.dll", "x")];
        assert_eq!(list.differences(&exact), [""; 0]);
        for (place, change, said) in [
            (0, import("ntoskrnl.exe", "C"), "imports ntoskrnl.exe C, which is not"),
            (0, import("hal.dll", "A"), "imports hal.dll, which is not"),
            (1, import("ntoskrnl.exe", "A"), "does not import ntoskrnl.exe B"),
            (2, import("ntoskrnl.exe", "A"), "imports nothing of user32.dll"),
        ] {
            let mut changed = exact.clone();
            changed[place] = change;
            let differences = list.differences(&changed);
            assert!(differences.iter().any(|line| line.starts_with(said)), "{said}: {differences:?}");
        }
    }

    #[test]
    fn every_list_is_explained_and_only_forwards_import_nothing() {
        for (image, text) in LISTS {
            assert!(text.starts_with('#'), "{image}");
            assert_eq!(List::parse(text).libraries.is_empty(), image == "wskio.sys", "{image}");
        }
    }
}
