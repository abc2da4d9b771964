//! Makes the linker write a driver. link.exe and lld-link take the same arguments.

use std::env;

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
    "/PDBALTPATH:forward.pdb",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Checked on other targets, linked only for this one.
    if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "msvc") {
        for argument in ARGUMENTS {
            println!("cargo::rustc-link-arg-cdylib={argument}");
        }
    }
}
