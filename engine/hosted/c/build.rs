//! Compiles what has variable arguments.

fn main() {
    println!("cargo::rerun-if-changed=src/print.c");
    println!("cargo::rerun-if-changed=include");
    cc::Build::new()
        .file("src/print.c")
        .include("include")
        .flags(["-std=c11", "-Wall", "-Wextra", "-fvisibility=default"])
        .compile("skua_wsk_print");
}
