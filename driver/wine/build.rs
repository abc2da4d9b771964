//! Makes the shim's forwards: every name that Wine's ntoskrnl.exe exports and this crate does not.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use object::read::pe::PeFile64;

/// Where Wine's images are, on the distributions that have been seen.
const FOLDERS: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows",
    "/usr/lib/wine/x86_64-windows",
    "/usr/lib64/wine/x86_64-windows",
    "/opt/wine-stable/lib64/wine/x86_64-windows",
    "/opt/wine-stable/lib/wine/x86_64-windows",
];

/// Names the image where it is elsewhere.
const VARIABLE: &str = "SKUA_WINE_NTOSKRNL";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    if env::var("CARGO_CFG_TARGET_OS")? != "windows" {
        return Ok(());
    }
    let image = ntoskrnl()?;
    println!("cargo::rerun-if-changed={}", image.display());
    let mut own = BTreeSet::new();
    sources(Path::new("src"), &mut own)?;
    if own.is_empty() {
        return Err("no exports found under src".into());
    }
    let mut definition = String::from("LIBRARY \"ntosshim.exe\"\nEXPORTS\n");
    for name in exports(&fs::read(&image)?)?.difference(&own) {
        definition.push_str(&format!("    {name} = \"ntoskrnl.exe.{name}\"\n"));
    }
    let file = PathBuf::from(env::var("OUT_DIR")?).join("forwards.def");
    fs::write(&file, definition)?;
    println!("cargo::rustc-link-arg-cdylib={}", file.display());
    Ok(())
}

fn ntoskrnl() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os(VARIABLE) {
        return Ok(named.into());
    }
    let found =
        FOLDERS.iter().map(|folder| Path::new(folder).join("ntoskrnl.exe")).find(|path| path.is_file());
    found.ok_or_else(|| {
        format!(
            "Wine's ntoskrnl.exe, whose exports are forwarded to, is in none of {FOLDERS:?}: install it with `apt-get \
             install wine64`, or set {VARIABLE} to its path"
        )
    })
}

/// The names that an image exports.
fn exports(image: &[u8]) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let table = PeFile64::parse(image)?.export_table()?.ok_or("ntoskrnl.exe exports nothing")?;
    let names = table.exports()?.into_iter().filter_map(|export| export.name);
    let names = names.map(|name| Ok(std::str::from_utf8(name)?.to_owned()));
    names.collect()
}

/// The names that this crate exports: its functions with the C ABI whose names are not in Rust's case, and what follows
/// the word `export` in a macro.
fn sources(folder: &Path, names: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, names)?;
            continue;
        }
        for line in fs::read_to_string(&path)?.lines() {
            let line = line.trim_start();
            let after = line.strip_prefix("export ").or_else(|| {
                line.starts_with("pub(crate) ").then(|| line.split_once("\" fn "))?.map(|(_, after)| after)
            });
            let Some((name, _)) = after.and_then(|after| after.split_once('(')) else { continue };
            if name.starts_with(char::is_uppercase) {
                names.insert(name.to_owned());
            }
        }
    }
    Ok(())
}
