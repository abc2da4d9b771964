//! `cargo xtask check-panics`: which panics are left in each driver, and that none is reached at DISPATCH_LEVEL.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use super::program::{Program, Target};
use super::reach::Reach;
use super::rules::Rules;
use crate::image;

/// What every panic ends in.
const HANDLER: &str = "rust_begin_unwind";

/// Prints what was looked at, and fails for a panic that is reached at DISPATCH_LEVEL or that the list does not allow.
pub(crate) fn run() -> Result<()> {
    for lists in Rules::of_the_tree() {
        let (driver, rules) = lists?;
        let program = Program::load(&image::folder(), driver)?;
        println!("{driver}.sys: {}", check(&program, &rules).with_context(|| driver.to_owned())?);
    }
    Ok(())
}

/// A report of what was found, or what is wrong.
fn check(program: &Program, rules: &Rules) -> Result<String> {
    let reach = Reach::new(program, rules);
    let roots = reach.roots()?;
    let is_handler = |index: usize| {
        program.functions[index].names.iter().any(|name| name.rsplit("::").next() == Some(HANDLER))
    };
    let reaching = reach.callers(is_handler);
    // Without a way from one to the other, the handler has another name than this file knows it by.
    for (index, function) in program.functions.iter().enumerate() {
        let panics = function.names.iter().any(|name| name.starts_with("core::panicking::panic_fmt"));
        ensure!(!panics || reaching[index], "{} does not come to {HANDLER}", function.name());
    }
    for &root in &roots {
        if let Some(path) = reach.path(root, is_handler)? {
            anyhow::bail!("a panic is reached at DISPATCH_LEVEL:\n       {}", reach.names(&path));
        }
    }
    let mut sites = BTreeSet::new();
    for function in program.functions.iter().filter(|function| !is_library(&function.name())) {
        for call in &function.calls {
            let Target::Function(callee) = call.to else { continue };
            let called = &program.functions[callee];
            if reaching[callee] && (is_handler(callee) || is_library(&called.name())) {
                sites.insert((function.name(), called.name()));
            }
        }
    }
    let allowed = |name: &str| rules.panics.iter().any(|pattern| pattern.matches(name));
    let left: Vec<_> = sites.iter().filter(|(caller, _)| !allowed(caller)).collect();
    let text: Vec<_> = left.iter().map(|(caller, callee)| format!("{caller}\n    -> {callee}")).collect();
    ensure!(left.is_empty(), "panics that panics.txt does not allow:\n  {}", text.join("\n  "));
    for pattern in &rules.panics {
        let is_used = sites.iter().any(|(caller, _)| pattern.matches(caller));
        ensure!(is_used, "panics.txt: no function named {} panics", pattern.text());
    }
    Ok(format!(
        "{} functions, {} called at DISPATCH_LEVEL, from which no panic is reached; {} panics elsewhere, all allowed",
        program.functions.len(),
        roots.len(),
        sites.len()
    ))
}

/// Whether a function is not this workspace's: its path, or its type's, begins in another crate, or its type is built in.
fn is_library(name: &str) -> bool {
    let mut path = name.trim_start_matches(['<', '&', '[', '(', '*']);
    path = path.strip_prefix("mut ").map_or(path, |rest| rest.trim_start_matches(['&', '[', '(', '*']));
    path = path.split([' ', '<', '>', ',', ';']).next().unwrap_or_default();
    match path.split_once("::") {
        Some((krate, _)) => !krate.starts_with("skua"),
        // A symbol without a path is one that C could have written: ours.
        None => name.starts_with('<'),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Does, Function, program};
    use super::*;

    const ENTRY: Function<'_> = ("DriverEntry", 0, &[Does::Take("receive"), Does::Call("start")]);
    const PANIC: Function<'_> = ("core::panicking::panic_fmt", 40, &[Does::Call("skua::rust_begin_unwind")]);
    const HANDLER: Function<'_> = ("skua::rust_begin_unwind", 40, &[Does::Import]);
    const INDEX: Function<'_> = ("core::slice::index_fail", 40, &[Does::Call("core::panicking::panic_fmt")]);

    fn found(functions: &[Function<'_>], panics: &str) -> Result<String> {
        let levels = "# .\npassive DriverEntry\ndispatch receive\n";
        let pointers = "# .\nreceive => outside\n";
        let has_pointer =
            functions.iter().any(|(_, _, does)| does.iter().any(|one| matches!(one, Does::Pointer)));
        let pointers = if has_pointer { pointers } else { "" };
        check(&program(functions, &[]), &Rules::parse(levels, pointers, panics).unwrap())
    }

    #[test]
    fn a_panic_at_dispatch_level_is_found_with_the_way_to_it() {
        let functions = [
            ENTRY,
            ("start", 0, &[][..]),
            ("receive", 40, &[Does::Pointer, Does::Call("parse")]),
            ("parse", 40, &[Does::Call("core::slice::index_fail")]),
            INDEX,
            PANIC,
            HANDLER,
        ];
        // No list allows it.
        let error = found(&functions, "# .\nparse\n").unwrap_err().to_string();
        assert!(error.starts_with("a panic is reached at DISPATCH_LEVEL"), "{error}");
        assert!(error.contains("receive\n    -> parse\n    -> core::slice::index_fail\n"), "{error}");
    }

    #[test]
    fn a_panic_elsewhere_must_be_listed() {
        let functions = [
            ENTRY,
            ("start", 40, &[Does::Call("core::slice::index_fail")][..]),
            ("receive", 0, &[]),
            INDEX,
            PANIC,
            HANDLER,
        ];
        let error = found(&functions, "").unwrap_err().to_string();
        assert!(error.ends_with("start\n    -> core::slice::index_fail"), "{error}");
        found(&functions, "# Checked by its caller.\nsta*\n").unwrap();
        assert!(
            found(&functions, "# .\nstart\nreceive\n").unwrap_err().to_string().contains("named receive")
        );
    }

    #[test]
    fn a_driver_without_panics_passes_and_one_whose_handler_has_another_name_does_not() {
        let none = [ENTRY, ("start", 0, &[][..]), ("receive", 0, &[])];
        found(&none, "").unwrap();
        let renamed = [
            ENTRY,
            ("start", 0, &[][..]),
            ("receive", 0, &[]),
            ("core::panicking::panic_fmt", 40, &[Does::Call("handler")]),
            ("handler", 40, &[Does::Import]),
        ];
        assert!(found(&renamed, "").unwrap_err().to_string().contains("does not come to"));
    }

    #[test]
    fn the_library_is_told_from_the_driver() {
        for (name, library) in [
            ("core::panicking::panic", true),
            ("<core::fmt::Formatter>::pad", true),
            ("<usize as core::fmt::Display>::fmt", true),
            ("<&mut [core::num::X] as core::fmt::Debug>::fmt", true),
            ("compiler_builtins::mem::memcpy", true),
            ("arrayvec::arrayvec::extend_panic", true),
            ("skua_driver::device::dispatch", false),
            ("<skua_engine::Socket as core::ops::drop::Drop>::drop", false),
            ("DriverEntry", false),
        ] {
            assert_eq!(is_library(name), library, "{name}");
        }
    }
}
