//! The engine for drivers in C: its headers, and its tests in C over the library of user mode.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::c::{BUILD, COMPILE, COMPILERS, stem};
use crate::tool::{self, Tool};
use crate::{cargo, process};

/// Longest that one test may run.
const RUN: Duration = Duration::from_secs(120);

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Every language that the headers are read as, and who reads it.
const READERS: [(Tool, &[&str]); 7] = [
    (tool::GCC, &["-std=c11"]),
    (tool::GCC, &["-std=c17"]),
    (tool::CXX, &["-x", "c++", "-std=c++17"]),
    (tool::CLANG, &["-std=c11"]),
    (tool::CLANG, &["-std=c17"]),
    (tool::CLANG, &["-x", "c++", "-std=c++17"]),
    (tool::MINGW_GCC, &["-std=c11"]),
];

/// Builds the library, and compiles and runs what `filters` choose.
pub(crate) fn run(filters: &[String]) -> Result<()> {
    process::run_shown(cargo::command().args(["build", "--package", "skua-user"]), BUILD)?;
    let room = tempfile::tempdir().context("cannot make a folder to compile in")?;
    headers(room.path())?;
    let is_wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    for source in tests()? {
        let name = format!("engine/{}", stem(&source));
        if !is_wanted(&name) {
            continue;
        }
        for (compiler, tool) in COMPILERS {
            let binary = room.path().join(format!("{}-{compiler}", stem(&source)));
            let mut command = tool.command();
            command.arg("-std=c11").args(WARNINGS).args(["-g", "-O1"]).arg(&source);
            link(&mut command, &binary);
            process::run(&mut command, COMPILE)?.success()?;
            process::run(&mut Command::new(&binary), RUN)?
                .success()
                .with_context(|| format!("{name}, compiled by {compiler}"))?;
            println!("{name} ({compiler}) ok");
        }
    }
    Ok(())
}

/// The crate's folder.
pub(crate) fn home() -> PathBuf {
    cargo::root().join("engine/capi")
}

/// Headers, library and output of a program in user mode.
pub(crate) fn link(command: &mut Command, binary: &Path) {
    let library = cargo::target_directory().join("debug");
    command.arg("-I").arg(home().join("include")).arg("-o").arg(binary).arg("-L").arg(&library);
    command.args(["-lskua_user", &format!("-Wl,-rpath,{}", library.display())]);
}

fn tests() -> Result<Vec<PathBuf>> {
    let folder = home().join("tests/c");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "c"));
    files.sort();
    Ok(files)
}

/// Each header by itself and twice, in every language; and beside those of NT and WSK, on this machine and with MinGW.
fn headers(room: &Path) -> Result<()> {
    let source = room.join("header.c");
    let check = |command: &mut Command, text: &str| -> Result<()> {
        fs::write(&source, text).context("cannot write a file to compile")?;
        command.args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"]).arg(home().join("include"));
        process::run(command.arg(&source), COMPILE)?.success().map(drop)
    };
    for name in ["skua.h", "skua_user.h"] {
        let text = format!("#include <{name}>\n#include <{name}>\ntypedef int not_empty;\n");
        for (reader, language) in READERS {
            check(reader.command().args(language).arg("-Wpedantic"), &text)?;
        }
    }
    let hosted = cargo::root().join("engine/hosted/c/include");
    for order in [["ntddk.h", "wsk.h", "skua.h"], ["skua.h", "ntddk.h", "wsk.h"]] {
        let includes = order.map(|name| format!("#include <{name}>\n")).concat();
        let text = includes
            + "int main(void) { MDL *mdl; uint32_t at; return NT_SUCCESS(SkuaDatagramBuffer(NULL, &mdl, &at)); }\n";
        check(tool::GCC.command().args(["-std=c11", "-fshort-wchar", "-I"]).arg(&hosted), &text)?;
        let mut mingw = tool::MINGW_GCC.command();
        mingw.args(["-std=c11", "-I"]).arg(&hosted);
        mingw.args(["-I/usr/share/mingw-w64/include/ddk", "-I/usr/x86_64-w64-mingw32/include/ddk"]);
        check(&mut mingw, &text)?;
    }
    println!("skua.h ok");
    Ok(())
}
