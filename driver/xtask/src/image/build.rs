//! Builds the kernel image and the Windows programs, each with rustup's library where it is, else from source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::library;
use crate::cli::BuildArguments;
use crate::tool::Tool;
use crate::toolchain::{self, Library, Part};
use crate::{cargo, process, tool};

/// Longest that one cargo call may take; the first one from source compiles core or std too.
pub(super) const LIMIT: Duration = Duration::from_secs(15 * 60);

/// A package, what cargo makes of it, and what that is called.
#[derive(Clone, Copy)]
struct Program {
    package: &'static str,
    built: &'static str,
    name: &'static str,
}

const SKUA: Program = Program { package: "skua-app", built: "skua.exe", name: "skua.exe" };
const SHIM: Program = Program { package: "skua-wine", built: "skua_wine.dll", name: "ntosshim.exe" };
/// Drivers, by their package, which is also what the image is called: skua.sys and the example of an embedder's.
const DRIVER: &str = "skua";
const EXAMPLE: &str = "forward";

const HAMMER: Program = Program { package: "skua-hammer", built: "hammer.exe", name: "hammer.exe" };

/// Makes skua.sys and the example's forward.sys, each with its PDB and map, and skua.exe.
pub(crate) fn run(arguments: &BuildArguments) -> Result<()> {
    require()?;
    let folder = super::folder();
    driver(DRIVER, &arguments.features, &folder)?;
    driver(EXAMPLE, &[], &folder)?;
    programs(&[SKUA], &folder)
}

/// Makes the same and what runs under Wine beside it: an image with checks inside, what stands in for Windows' kernel and WSK
/// provider, and a program that means the driver harm.
pub(crate) fn run_for_wine() -> Result<()> {
    require()?;
    let folder = super::folder();
    driver(DRIVER, &["self-test".to_owned()], &folder.join("self-test"))?;
    driver(DRIVER, &[], &folder)?;
    driver(EXAMPLE, &[], &folder)?;
    library::for_mingw()?;
    programs(&[SKUA, SHIM, HAMMER], &folder)?;
    // Nothing but names that are forwarded: there is no code to begin at.
    let linked = ["-shared", "-nostdlib", "-Wl,--subsystem,native,-e,0,--no-insert-timestamp", "-o"];
    let mut command = tool::MINGW_GCC.command();
    command.args(linked).arg(folder.join("wskio.sys")).arg(cargo::root().join("driver/wine/wskio.def"));
    process::run_shown(&mut command, LIMIT)
}

/// Fails unless everything is here that this module's builds need, naming all that is not.
pub(crate) fn require() -> Result<()> {
    let targets = [Target::kernel(), Target::user(), Target::kernel_for_mingw()];
    tool::require(&targets.iter().flat_map(Target::tools).collect::<Vec<_>>())
}

/// Builds the kernel image `package` with `features`, and puts its .sys, .pdb and .map into `folder`.
fn driver(package: &str, features: &[String], folder: &Path) -> Result<()> {
    let target = Target::kernel();
    let mut command = target.cargo("rustc")?;
    command.args(["--package", package, "--profile", "image"]);
    if !features.is_empty() {
        command.args(["--features", &features.join(",")]);
    }
    // The map has the address of every function, also of those without debug information.
    command.args(["--", "-Clink-arg=/MAP"]);
    process::run_shown(&mut command, LIMIT)?;
    let built = target.output("image")?.join("deps");
    for (from, to) in [("dll", "sys"), ("pdb", "pdb"), ("map", "map")] {
        put(&built.join(format!("{package}.{from}")), &folder.join(format!("{package}.{to}")))?;
    }
    Ok(())
}

/// Builds these for Windows in user mode, at once, and puts them into `folder`.
fn programs(chosen: &[Program], folder: &Path) -> Result<()> {
    let target = Target::user();
    let mut command = target.cargo("build")?;
    command.arg("--release");
    for program in chosen {
        command.args(["--package", program.package]);
    }
    process::run_shown(&mut command, LIMIT)?;
    for program in chosen {
        put(&target.output("release")?.join(program.built), &folder.join(program.name))?;
    }
    Ok(())
}

/// What is built for, and with what.
pub(super) struct Target {
    triple: &'static str,
    /// `None` where neither rustup nor a package of sources provides it.
    library: Option<Library>,
    /// The linker and what else the compiler calls.
    programs: &'static [Tool],
    /// What the compiler is told for every crate.
    flags: String,
}

impl Target {
    /// The kernel as MSVC's linkers link it.
    pub(super) fn kernel() -> Self {
        let triple = "x86_64-pc-windows-msvc";
        // Functions are named alike by every compiler, for the lists that name them; and files alike on every machine, for
        // an image with the same bytes.
        let flags =
            format!("-Csymbol-mangling-version=v0 --remap-path-prefix={}=cargo", cargo::home().display());
        Self { triple, library: Library::find(triple, Part::Core), programs: &[tool::LLD_LINK], flags }
    }

    /// The kernel as MinGW links it.
    pub(super) fn kernel_for_mingw() -> Self {
        let triple = "x86_64-pc-windows-gnu";
        let programs = &[tool::MINGW_GCC, tool::MINGW_DLLTOOL, tool::MINGW_AR];
        let flags = format!("--remap-path-prefix={}=cargo", cargo::home().display());
        Self { triple, library: Library::find(triple, Part::Core), programs, flags }
    }

    /// From source by preference: the std of rustup's targets imports bcryptprimitives.dll, which Wine and Windows 7
    /// lack.
    fn user() -> Self {
        let programs = &[tool::MINGW_GCC, tool::MINGW_DLLTOOL];
        if let Some(library) = Library::source(Part::Std) {
            let triple = "x86_64-win7-windows-gnu";
            return Self { triple, library: Some(library), programs, flags: String::new() };
        }
        let triple = "x86_64-pc-windows-gnu";
        Self { triple, library: Library::find(triple, Part::Std), programs, flags: String::new() }
    }

    /// All that a build for it needs, as far as packages have it.
    fn tools(&self) -> Vec<Tool> {
        let sources: &[Tool] = if self.library.is_none() { &toolchain::SOURCES } else { &[] };
        [self.programs, sources].concat()
    }

    /// `cargo verb` for this target.
    pub(super) fn cargo(&self, verb: &str) -> Result<Command> {
        tool::require(&self.tools())?;
        let mut command = cargo::command();
        command.args([verb, "--target", self.triple]);
        self.library()?.apply(&mut command);
        let variable = format!("CARGO_TARGET_{}", self.triple.to_uppercase().replace('-', "_"));
        command.env(format!("{variable}_LINKER"), self.programs[0].path());
        if !self.flags.is_empty() {
            command.env(format!("{variable}_RUSTFLAGS"), &self.flags);
        }
        Ok(command)
    }

    /// Where cargo puts what it builds for this target under `profile`.
    pub(super) fn output(&self, profile: &str) -> Result<PathBuf> {
        Ok(self.library()?.target_directory().join(self.triple).join(profile))
    }

    fn library(&self) -> Result<&Library> {
        match &self.library {
            Some(library) => Ok(library),
            None => bail!("no library for {0}. Install with: rustup target add {0}", self.triple),
        }
    }
}

/// Copies a file that was built to where it is looked for, under the name it goes by there.
pub(super) fn put(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    println!("{}", to.display());
    Ok(())
}
