//! `cargo xtask check-stack`: how deep the stack gets below what is called at DISPATCH_LEVEL.

use anyhow::{Context as _, Result, ensure};

use super::program::Program;
use super::reach::Reach;
use super::rules::Rules;
use crate::image;

/// The most that a path may take, in bytes: a datagram is handled on the stack of whoever was interrupted, 24 KiB at
/// most and already in use.
const LIMIT: u64 = 2048;

/// Prints the deepest path below each root, and fails where one is deeper than allowed, recursive or unknown.
pub(crate) fn run() -> Result<()> {
    for lists in Rules::of_the_tree() {
        let (driver, rules) = lists?;
        let program = Program::load(&image::folder(), driver)?;
        let deepest = check(&program, &rules).with_context(|| driver.to_owned())?;
        println!("{driver}.sys\n{deepest}");
    }
    Ok(())
}

/// A report of what was found, or what is wrong.
fn check(program: &Program, rules: &Rules) -> Result<String> {
    let reach = Reach::new(program, rules);
    let mut known = Vec::new();
    let mut depths = Vec::new();
    for root in reach.roots()? {
        depths.push(reach.depth(root, &mut known)?);
    }
    depths.sort_by_key(|depth| std::cmp::Reverse(depth.bytes));
    let mut lines = vec![format!("{:>6}  called at DISPATCH_LEVEL", "bytes")];
    for depth in &depths {
        lines.push(format!("{:6}  {}", depth.bytes, program.functions[depth.path[0]].name()));
    }
    if let Some(deepest) = depths.first() {
        lines.push("the deepest path, with what each function takes itself:".to_owned());
        for index in &deepest.path {
            let function = &program.functions[*index];
            lines.push(format!("{:6}  {}", function.frame, function.name()));
        }
        ensure!(deepest.bytes <= LIMIT, "{}\nmore than {LIMIT} bytes of stack", lines.join("\n"));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Does, Function, program};
    use super::*;

    /// What is found in these functions, where `receive` is called at DISPATCH_LEVEL and any other taken address is not.
    fn found(functions: &[Function<'_>], pointers: &str) -> Result<String> {
        let levels = "# Entry.\npassive DriverEntry\n# Callback.\ndispatch receive\n";
        check(&program(functions, &[]), &Rules::parse(levels, pointers, "").unwrap())
    }

    /// A driver whose callback is `receive`.
    const ENTRY: Function<'_> = ("DriverEntry", 0, &[Does::Take("receive")]);

    #[test]
    fn the_deepest_path_is_the_sum_of_its_frames_and_return_addresses() {
        let report = found(
            &[
                ENTRY,
                ("receive", 40, &[Does::Import, Does::Call("low"), Does::Call("high")]),
                ("low", 0, &[]),
                ("high", 1000, &[Does::Call("low")]),
            ],
            "",
        );
        // 8 + 40, 8 + 1000, 8.
        assert!(report.as_ref().is_ok_and(|text| text.contains("  1064  receive\n")), "{report:?}");
    }

    #[test]
    fn a_deep_frame_far_down_is_found_with_the_way_to_it() {
        let deep = [
            ENTRY,
            ("receive", 40, &[Does::Call("step")]),
            ("step", 0, &[Does::Call("deep")]),
            ("deep", 2000, &[]),
        ];
        let error = found(&deep, "").unwrap_err().to_string();
        // 8 + 40, 8, 8 + 2000.
        for line in ["  2064  receive", "  2000  deep", "more than 2048 bytes"] {
            assert!(error.contains(line), "{error}");
        }
        // What is not called from there may be as deep as it likes.
        found(&[ENTRY, ("receive", 40, &[]), ("deep", 2000, &[])], "").unwrap();
    }

    #[test]
    fn a_caller_whose_frame_is_gone_is_not_counted() {
        let report = found(&[ENTRY, ("receive", 1000, &[Does::Become("other")]), ("other", 1200, &[])], "");
        assert!(report.as_ref().is_ok_and(|text| text.contains("  1208  receive\n")), "{report:?}");
    }

    #[test]
    fn recursion_is_found() {
        let error = found(
            &[
                ENTRY,
                ("receive", 0, &[Does::Call("a")]),
                ("a", 0, &[Does::Call("b")]),
                ("b", 0, &[Does::Call("a")]),
            ],
            "",
        );
        assert!(error.unwrap_err().to_string().starts_with("recursion: a\n"));
    }

    #[test]
    fn a_call_by_pointer_must_be_explained() {
        let functions = [
            ("DriverEntry", 0, &[Does::Take("receive"), Does::Take("handler")][..]),
            ("receive", 40, &[Does::Pointer]),
            ("handler", 3000, &[]),
        ];
        let levels = "# .\npassive DriverEntry\npassive handler\ndispatch receive\n";
        let found =
            |pointers: &str| check(&program(&functions, &[]), &Rules::parse(levels, pointers, "").unwrap());
        assert!(found("").unwrap_err().to_string().ends_with("\n  receive"));
        found("# The provider.\nreceive => outside\n").unwrap();
        let error = found("# The handler's table.\nreceive => hand*\n").unwrap_err().to_string();
        assert!(error.contains("  3000  handler"), "{error}");
        assert!(found("# .\nreceive => nobody\n").unwrap_err().to_string().contains("can point at nobody"));
        assert!(found("# .\nreceive => outside\nhandler => outside\n").is_err());
    }

    #[test]
    fn whatever_others_may_call_must_have_a_level() {
        let functions = [ENTRY, ("receive", 0, &[][..]), ("cancel", 0, &[])];
        let levels = "# .\npassive DriverEntry\ndispatch receive\n";
        let check =
            |levels: &str| check(&program(&functions, &["cancel"]), &Rules::parse(levels, "", "").unwrap());
        assert!(check(levels).unwrap_err().to_string().ends_with("\n  cancel"));
        check(&format!("{levels}dispatch cancel\n")).unwrap();
        // A list that names what is not there proves less than it seems to.
        let error = check(&format!("{levels}dispatch cancel\ndispatch complete\n")).unwrap_err().to_string();
        assert!(error.contains("named complete"), "{error}");
        assert!(check("# .\npassive *\n").unwrap_err().to_string().contains("names no function"));
    }
}
