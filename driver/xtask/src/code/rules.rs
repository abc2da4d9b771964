//! What the code's bytes cannot say: lists in this tree, every entry with its reason.
//!
//! A list is made of paragraphs. Lines that begin with `#` give the reason for the entries below them, up to the next
//! empty line. An entry names functions as a [`Pattern`]. An entry that no longer stands for anything is an error.

use anyhow::{Context as _, Result, bail, ensure};

use super::program::{Function, Program, Target};

/// The lists of each driver: the IRQL at which others call its functions, where its calls by pointer go, which of its functions
/// may panic.
const LISTS: [(&str, [&str; 3]); 3] = [
    (
        "skua",
        [
            include_str!("rules/skua/levels.txt"),
            include_str!("rules/skua/pointers.txt"),
            include_str!("rules/skua/panics.txt"),
        ],
    ),
    (
        "forward",
        [
            include_str!("rules/forward/levels.txt"),
            include_str!("rules/forward/pointers.txt"),
            include_str!("rules/forward/panics.txt"),
        ],
    ),
    (
        "cforward",
        [
            include_str!("rules/cforward/levels.txt"),
            include_str!("rules/cforward/pointers.txt"),
            include_str!("rules/cforward/panics.txt"),
        ],
    ),
];

/// The lists.
pub(super) struct Rules {
    levels: Vec<(Level, Pattern)>,
    pointers: Vec<(Pattern, PointsAt)>,
    pub(super) panics: Vec<Pattern>,
}

/// How high the IRQL may be when others call a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    Passive,
    Dispatch,
}

/// Whom a call by pointer may reach.
#[derive(Clone, Debug)]
pub(super) enum PointsAt {
    /// Functions of other images alone.
    Outside,
    /// Functions of the driver.
    Functions(Pattern),
}

/// A function's whole name, in which `*` stands for any text.
#[derive(Clone, Debug)]
pub(super) struct Pattern(String);

impl Rules {
    /// The lists in this tree, with the driver that each is about.
    pub(super) fn of_the_tree() -> impl Iterator<Item = Result<(&'static str, Self)>> {
        LISTS.iter().map(|(driver, [levels, pointers, panics])| {
            let rules = Self::parse(levels, pointers, panics);
            Ok((*driver, rules.with_context(|| format!("the lists of {driver}"))?))
        })
    }

    pub(super) fn parse(levels: &str, pointers: &str, panics: &str) -> Result<Self> {
        let levels = entries(levels)?.into_iter().map(|entry| {
            let (level, name) = entry.split_once(' ').context("an entry without a name")?;
            let level = match level {
                "passive" => Level::Passive,
                "dispatch" => Level::Dispatch,
                other => bail!("not a level: {other}"),
            };
            Ok((level, Pattern::new(name)))
        });
        let pointers = entries(pointers)?.into_iter().map(|entry| {
            let (caller, target) =
                entry.split_once(" => ").with_context(|| format!("no => in the entry {entry}"))?;
            let target = match target.trim() {
                "outside" => PointsAt::Outside,
                functions => PointsAt::Functions(Pattern::new(functions)),
            };
            Ok((Pattern::new(caller), target))
        });
        Ok(Self {
            levels: levels.collect::<Result<_>>()?,
            pointers: pointers.collect::<Result<_>>()?,
            panics: entries(panics)?.into_iter().map(Pattern::new).collect(),
        })
    }

    /// The level of each function that others may call, by its index; fails where the list and `program` do not agree
    /// on which these are.
    pub(super) fn levels(&self, program: &Program) -> Result<Vec<(usize, Level)>> {
        let mut found = Vec::new();
        let mut unlisted = Vec::new();
        let known = |one: &Function| one.is_known_outside && !one.is_import();
        for (index, function) in program.functions.iter().enumerate().filter(|(_, one)| known(one)) {
            // Several entries may fit; the highest level decides.
            let mut levels =
                self.levels.iter().filter(|(_, name)| name.fits(function)).map(|(level, _)| *level);
            match levels.clone().find(|level| *level == Level::Dispatch).or_else(|| levels.next()) {
                Some(level) => found.push((index, level)),
                None => unlisted.push(function.name()),
            }
        }
        ensure!(
            unlisted.is_empty(),
            "others may call these functions, and levels.txt does not say at which IRQL:\n  {}",
            unlisted.join("\n  ")
        );
        for (_, name) in &self.levels {
            let is_used = program.functions.iter().any(|one| one.is_known_outside && name.fits(one));
            ensure!(is_used, "levels.txt: others can call no function named {}", name.0);
        }
        Ok(found)
    }

    /// Whether an entry speaks of `caller`'s calls by pointer.
    pub(super) fn knows_pointers_of(&self, caller: &Function) -> bool {
        self.pointers.iter().any(|(name, _)| name.fits(caller))
    }

    /// The functions of `program` that `caller`'s calls by pointer reach.
    pub(super) fn pointed_at(&self, caller: &Function, program: &Program) -> Result<Vec<usize>> {
        let mut targets = Vec::new();
        for (_, target) in self.pointers.iter().filter(|(name, _)| name.fits(caller)) {
            let PointsAt::Functions(name) = target else { continue };
            let before = targets.len();
            targets.extend(
                program
                    .functions
                    .iter()
                    .enumerate()
                    .filter(|(_, one)| one.is_known_outside && name.fits(one))
                    .map(|(index, _)| index),
            );
            ensure!(targets.len() > before, "pointers.txt: no pointer can point at {}", name.0);
        }
        Ok(targets)
    }

    /// Fails for an entry of pointers.txt whose function calls by no pointer.
    pub(super) fn pointers_are_used(&self, program: &Program) -> Result<()> {
        for (name, _) in &self.pointers {
            let is_used = program
                .functions
                .iter()
                .any(|one| name.fits(one) && one.calls.iter().any(|call| call.to == Target::Pointer));
            ensure!(is_used, "pointers.txt: no function named {} calls by a pointer", name.0);
        }
        Ok(())
    }
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Whether one of the function's names is such a name.
    pub(super) fn fits(&self, function: &Function) -> bool {
        function.names.iter().any(|name| self.matches(name))
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// As the list has it.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// The entries of a list, each of which stands below a reason.
fn entries(text: &str) -> Result<Vec<&str>> {
    let mut entries = Vec::new();
    let mut has_reason = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else {
            ensure!(has_reason, "an entry without a reason: {line}");
            entries.push(line);
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("a::b", "a::b", true),
            ("a::b", "a::bc", false),
            ("a::b", "xa::b", false),
            ("a::*", "a::b", true),
            ("*::b", "a::b", true),
            ("*x*", "axb", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("ab*b", "ab", false),
            ("*", "", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn every_entry_has_a_reason() {
        assert_eq!(entries("# why\na\nb\n\n# also\nc\n").unwrap(), ["a", "b", "c"]);
        entries("a\n").unwrap_err();
        entries("# why\na\n\nb\n").unwrap_err();
    }

    #[test]
    fn the_lists_of_the_tree_can_be_read() {
        for lists in Rules::of_the_tree() {
            lists.map(drop).unwrap();
        }
    }

    #[test]
    fn a_list_that_cannot_be_understood_is_an_error() {
        Rules::parse("# why\nhigh a\n", "", "").map(drop).unwrap_err();
        Rules::parse("", "# why\na -> b\n", "").map(drop).unwrap_err();
    }
}
