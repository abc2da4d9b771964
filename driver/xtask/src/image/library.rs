//! The engine's library for drivers in C, for both linkers that there are, and a driver linked with it.

use std::path::Path;

use anyhow::Result;

use super::build::{LIMIT, Target, put};
use crate::tool::{self, Tool};
use crate::{c_engine, cargo, process};

/// What an object of a library may be called after: its own code, and the images of the kernel that it imports from.
const OF_THE_KERNEL: [&str; 5] =
    ["skua_kernel-", "compiler_builtins-", "ntoskrnl.exe", "netio.sys", "hal.dll"];

/// How a driver is linked, as link.exe and lld-link have it; without the C library of MSVC, which is not here.
const LINKED: [&str; 8] = [
    "/DRIVER",
    "/SUBSYSTEM:NATIVE",
    "/ENTRY:DriverEntry",
    "/NODEFAULTLIB",
    "/RELEASE",
    "/DYNAMICBASE",
    "/NXCOMPAT",
    "/BREPRO",
];

/// Builds libskua_kernel.a and skua_kernel.lib, puts them into the folder of images, and links the example in C with the latter.
pub(crate) fn run() -> Result<()> {
    tool::require(&[tool::LLVM_AR, tool::CLANG, tool::LLD_LINK])?;
    for_mingw()?;
    build(&Target::kernel(), "skua_kernel.lib", tool::LLVM_AR)?;
    link()
}

/// Builds libskua_kernel.a, and puts it into the folder of images.
pub(super) fn for_mingw() -> Result<()> {
    build(&Target::kernel_for_mingw(), "libskua_kernel.a", tool::MINGW_AR)
}

fn build(target: &Target, name: &str, archiver: Tool) -> Result<()> {
    let mut command = target.cargo("build")?;
    command.args(["--package", "skua-kernel", "--profile", "image"]);
    process::run_shown(&mut command, LIMIT)?;
    let library = super::folder().join(name);
    put(&target.output("image")?.join(name), &library)?;
    only_of_the_kernel(&library, archiver)
}

/// Takes out of `library` what imports from images of user mode: it comes with declarations, nothing here uses it, and a driver that
/// has a function of the same name would get it from there.
fn only_of_the_kernel(library: &Path, archiver: Tool) -> Result<()> {
    let members = process::run(archiver.command().arg("t").arg(library), LIMIT)?.success()?.stdout;
    let foreign: Vec<&str> =
        members.lines().filter(|name| !OF_THE_KERNEL.iter().any(|own| name.starts_with(own))).collect();
    // A thousand names at most, but not more than a command line holds.
    for names in foreign.chunks(200) {
        process::run(archiver.command().arg("d").arg(library).args(names), LIMIT)?.success()?;
    }
    process::run(archiver.command().arg("s").arg(library), LIMIT)?.success().map(drop)
}

/// Compiles the example in C as MSVC's compiler is imitated by clang, and links it with skua_kernel.lib into cforward.sys.
fn link() -> Result<()> {
    let folder = super::folder();
    let examples = c_engine::home().join("examples");
    let mut objects = Vec::new();
    for name in ["forward", "forward_driver"] {
        let object = folder.join(format!("{name}.obj"));
        let mut clang = tool::CLANG.command();
        clang.args(["--target=x86_64-pc-windows-msvc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]);
        // NT's headers here are MinGW's, which take the extensions of GNU's compiler.
        clang.args(["-fgnuc-version=12.2", "-U_MSC_VER", "-Wno-#warnings"]);
        clang.arg("-I").arg(c_engine::home().join("include"));
        clang.arg("-I").arg(cargo::root().join("engine/hosted/c/include"));
        // Debian's place for the headers of drivers, and that of others.
        for headers in ["/usr/share/mingw-w64/include", "/usr/x86_64-w64-mingw32/include"] {
            clang.args(["-isystem", &format!("{headers}/ddk"), "-isystem", headers]);
        }
        clang.arg("-c").arg(examples.join(format!("{name}.c"))).arg("-o").arg(&object);
        process::run(&mut clang, LIMIT)?.success()?;
        objects.push(object);
    }
    // Where ntoskrnl.exe has more than the library takes of it.
    let asked = process::run(tool::MINGW_GCC.command().arg("-print-file-name=libntoskrnl.a"), LIMIT)?;
    let imports = asked.success()?.stdout;
    let mut lld = tool::LLD_LINK.command();
    lld.args(LINKED).args(["/DEBUG", "/PDBALTPATH:cforward.pdb"]);
    for (option, extension) in [("OUT", "sys"), ("PDB", "pdb"), ("MAP", "map")] {
        lld.arg(format!("/{option}:{}", folder.join(format!("cforward.{extension}")).display()));
    }
    lld.args(&objects).arg(folder.join("skua_kernel.lib")).arg(imports.trim());
    process::run(&mut lld, LIMIT)?.success()?;
    println!("{}", folder.join("cforward.sys").display());
    Ok(())
}
