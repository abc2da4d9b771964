//! Makes bindings as wdk-sys does, from the headers of mingw-w64 instead of a WDK's.

use std::env;
use std::path::PathBuf;

use bindgen::{Builder, CodegenConfig, EnumVariation, Formatter};

/// MSVC's layout and enumerations, and the extensions that its headers use; the version of GCC is what makes mingw-w64's
/// headers declare attributes instead of dropping them.
const CLANG: [&str; 10] = [
    "--target=x86_64-pc-windows-msvc",
    "-fms-extensions",
    "-fgnuc-version=4.2.1",
    "-fno-builtin",
    "-isystem/usr/share/mingw-w64/include",
    "-isystem/usr/share/mingw-w64/include/ddk",
    "-D_WIN32_WINNT=0x0A00",
    "-DNTDDI_VERSION=0x0A000000",
    "-D_KERNEL_MODE",
    "-w",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"));
    let functions = (CodegenConfig::TYPES | CodegenConfig::VARS).complement();
    for (file, part) in
        [("types.rs", CodegenConfig::TYPES), ("constants.rs", CodegenConfig::VARS), ("ntddk.rs", functions)]
    {
        let bindings = builder().with_codegen_config(part).generate().expect("libclang parses the headers");
        bindings.write_to_file(out.join(file)).expect("the folder is this script's");
    }
}

fn builder() -> Builder {
    Builder::default()
        .header_contents("stand-in.h", "#include <ntifs.h>\n#include <ntddk.h>\n")
        .clang_args(CLANG)
        .use_core()
        // Windows' sizes on any host: there a long has 32 bits.
        .ctypes_prefix("crate::c")
        // As wdk-sys has them.
        .default_enum_style(EnumVariation::ModuleConsts)
        .derive_default(true)
        .generate_cstr(true)
        .blocklist_item("ExAllocatePoolWithTag")
        // Of the compiler's own headers, with an alignment that bindgen cannot write.
        .blocklist_item("_?_?tile.*")
        .formatter(Formatter::None)
}
