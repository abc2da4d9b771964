//! Makes the linker write a driver. link.exe and lld-link take the same arguments.

use std::path::PathBuf;
use std::{env, fs};

/// What the linker is told, besides what rustc tells it for any DLL.
const ARGUMENTS: [&str; 9] = [
    "/DRIVER",
    "/SUBSYSTEM:NATIVE",
    "/ENTRY:DriverEntry",
    // Imports come from raw-dylib blocks; nothing of a C library may slip in.
    "/NODEFAULTLIB",
    // A checksum, without which Windows does not load a driver at boot.
    "/RELEASE",
    "/DYNAMICBASE",
    "/NXCOMPAT",
    // The same sources make the same bytes.
    "/BREPRO",
    // The PDB is found by this name, beside the image.
    "/PDBALTPATH:skua.pdb",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Checked on other targets, linked only for this one.
    if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "msvc") {
        for argument in ARGUMENTS {
            println!("cargo::rustc-link-arg-cdylib={argument}");
        }
        stand_in_for_rpcrt4();
    }
    #[cfg(feature = "wdk")]
    wdk_build::configure_wdk_binary_build()
        .expect("the WDK is installed, and the C runtime linked statically");
}

/// The tracelogging crate asks for rpcrt4.lib, a library of user mode, on behalf of a function that a driver does not call.
/// An empty archive of that name contents the linker, and the check of the imports would see it if there was a call.
fn stand_in_for_rpcrt4() {
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"));
    fs::write(folder.join("rpcrt4.lib"), "!<arch>\n").expect("the folder is this script's to write to");
    println!("cargo::rustc-link-search=native={}", folder.display());
}
