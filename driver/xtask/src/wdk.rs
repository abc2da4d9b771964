//! The `wdk` feature, type-checked where there is no WDK.
//!
//! wdk-sys cannot be compiled on Linux: its build script wants a WDK. What is checked against instead is a crate of the
//! same name and version, made by the bindgen that wdk-sys uses, from the driver headers of mingw-w64. It stands in a
//! folder of its own, with a copy of the workspace's lock file, so that nothing in the tree changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::tool::{self, Tool};
use crate::{cargo, process};

/// The headers that the stand-in is made from; the build script has the folder.
const HEADERS: Tool = Tool::file("/usr/share/mingw-w64/include/ddk/ntifs.h", "mingw-w64-common");

/// Where libclang is: Debian's folders, one for each version, then the others'.
const LIBCLANG_FOLDERS: [&str; 3] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
const LIBCLANG_PACKAGE: &str = "libclang-19-dev";

/// Longest that it may take; the first time compiles bindgen.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Checks skua-nt and skua-driver with the feature, warnings and all.
pub(crate) fn run() -> Result<()> {
    tool::require(&[HEADERS])?;
    let libclang = libclang()?;
    let lock = read(&cargo::root().join("Cargo.lock"))?;
    let folder = cargo::target_directory().join("wdk-check");
    write_crates(&folder, &lock)?;
    let mut command = cargo::command();
    command
        .current_dir(&folder)
        .args(["clippy", "--package", "skua-nt", "--package", "skua-driver", "--target-dir"])
        .arg(folder.join("target"))
        .args(["--", "-D", "warnings"])
        .env("LIBCLANG_PATH", libclang);
    process::run_shown(&mut command, LIMIT)
}

/// The stand-in, and a crate that asks for skua-driver with the feature.
fn write_crates(folder: &Path, lock: &str) -> Result<()> {
    let driver = cargo::root().join("driver");
    let checked = format!(
        "[package]\nname = \"wdk-check\"\nedition = \"2024\"\n\n\
         [dependencies]\nskua-driver = {{ path = {driver:?}, features = [\"wdk\"] }}\n\n\
         [patch.crates-io]\nwdk-sys = {{ path = \"wdk-sys\" }}\n\n[workspace]\n"
    );
    let stand_in = format!(
        "[package]\nname = \"wdk-sys\"\nversion = \"{}\"\nedition = \"2024\"\n\n\
         [build-dependencies]\nbindgen = \"={}\"\n",
        version(lock, "wdk-sys")?,
        version(lock, "bindgen")?
    );
    write(&folder.join("Cargo.toml"), &checked)?;
    write(&folder.join("Cargo.lock"), lock)?;
    write(&folder.join("src/lib.rs"), "")?;
    write(&folder.join("wdk-sys/Cargo.toml"), &stand_in)?;
    write(&folder.join("wdk-sys/build.rs"), include_str!("wdk/stand_in_build.rs"))?;
    write(&folder.join("wdk-sys/src/lib.rs"), include_str!("wdk/stand_in_lib.rs"))
}

/// The version of a package that the lock file has once.
fn version<'l>(lock: &'l str, package: &str) -> Result<&'l str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.with_context(|| format!("Cargo.lock has no {package}"))
}

/// The folder of the newest libclang.
fn libclang() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib").into_iter().flatten().filter_map(|entry| {
        let path = entry.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.strip_prefix("llvm-")?.parse().ok()?;
        Some((version, path.join("lib")))
    });
    let mut versions: Vec<_> = versions.collect();
    versions.sort_unstable_by(|left, right| right.cmp(left));
    let folders = versions.into_iter().map(|(_, folder)| folder);
    let found = folders.chain(LIBCLANG_FOLDERS.map(PathBuf::from)).find(|folder| has_libclang(folder));
    match found {
        Some(folder) => Ok(folder),
        None => bail!("not found: libclang. Install with: apt-get install -y {LIBCLANG_PACKAGE}"),
    }
}

fn has_libclang(folder: &Path) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        name.to_str().is_some_and(is_libclang)
    })
}

/// `libclang.so`, `libclang-19.so`, either with a version behind it; not `libclang-cpp.so`.
fn is_libclang(file: &str) -> bool {
    let Some((stem, _version)) = file.split_once(".so") else { return false };
    let version = stem.strip_prefix("libclang").map(|rest| rest.strip_prefix('-').unwrap_or(rest));
    version.is_some_and(|version| {
        version.chars().all(|character| character.is_ascii_digit() || character == '.')
    })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file unless it is so already: a file that is written anew is built anew.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_has_the_versions_that_the_stand_in_takes() {
        let lock = read(&cargo::root().join("Cargo.lock")).unwrap();
        assert!(version(&lock, "wdk-sys").unwrap().starts_with("0."));
        assert!(version(&lock, "bindgen").unwrap().starts_with("0."));
        assert!(version(&lock, "no-such-package").is_err());
    }

    #[test]
    fn libclang_is_known_from_what_is_named_like_it() {
        for file in
            ["libclang.so", "libclang.so.1", "libclang-19.so", "libclang-14.so.1", "libclang-19.1.7.so"]
        {
            assert!(is_libclang(file), "{file}");
        }
        for file in ["libclang-cpp.so.19", "libclang.a", "libclangAST.so", "clang.so"] {
            assert!(!is_libclang(file), "{file}");
        }
    }
}
