//! The engine for drivers in C: its headers, and its tests in C over the library of user mode.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::c::{BUILD, COMPILE, COMPILERS, stem};
use crate::tool::{self, Tool};
use crate::{cargo, process};

/// Longest that one test may run.
const RUN: Duration = Duration::from_secs(120);

/// The ports of forward.c: where it listens on either side, and where it sends to.
const INSIDE: u16 = 17021;
const OUTSIDE: u16 = 17022;
const THERE: u16 = 17023;
const BACK: u16 = 17024;

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

/// Builds the library, and compiles and runs what `filters` choose: the examples, and the tests.
pub(crate) fn run(filters: &[String]) -> Result<()> {
    process::run_shown(cargo::command().args(["build", "--package", "skua-user"]), BUILD)?;
    let room = tempfile::tempdir().context("cannot make a folder to compile in")?;
    headers(room.path())?;
    let is_wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    examples(room.path(), &is_wanted)?;
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

/// Each example, in C and in C++.
fn examples(room: &Path, is_wanted: &impl Fn(&str) -> bool) -> Result<()> {
    let source = |name: &str| home().join("examples").join(name);
    for (compiler, tool) in COMPILERS {
        if is_wanted("engine/forward") {
            let binary = room.join(format!("forward-{compiler}"));
            let mut command = tool.command();
            command.arg("-std=c11").args(WARNINGS).args(["-g", "-O1"]);
            command.args([source("forward.c"), source("forward_main.c")]);
            link(&mut command, &binary);
            process::run(&mut command, COMPILE)?.success()?;
            forwards(&binary).with_context(|| format!("forward.c, compiled by {compiler}"))?;
            println!("engine/forward ({compiler}) ok");
        }
        if is_wanted("engine/echo") {
            let binary = room.join(format!("echo-{compiler}"));
            // The C++ compiler of either family reads C++ by the same option.
            let mut command = if compiler == "gcc" { tool::CXX.command() } else { tool.command() };
            command.args(["-x", "c++", "-std=c++17", "-fno-exceptions", "-fno-rtti"]).args(WARNINGS);
            command.args(["-g", "-O1"]).arg(source("echo.cpp"));
            link(&mut command, &binary);
            process::run(&mut command, COMPILE)?.success()?;
            process::run(&mut Command::new(&binary), RUN)?.success()?;
            println!("engine/echo ({compiler}) ok");
        }
    }
    Ok(())
}

/// forward_main.c: forwards until its standard input ends.
fn forwards(binary: &Path) -> Result<()> {
    let mut command = Command::new(binary);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let outcome = if first == "forwarding" { through() } else { Err(anyhow!("it said {first:?}")) };
    drop(child.stdin.take());
    let counted = lines.next().transpose()?.unwrap_or_default();
    let status = child.wait().context("the program cannot be waited for")?;
    outcome?;
    ensure!(status.success() && counted.ends_with("dropped 5"), "it ended with {status}: {counted}");
    Ok(())
}

/// What the forwarder of forward.c, which runs, does with datagrams of every size: one way, back, and those that a rule drops.
pub(crate) fn through() -> Result<()> {
    let bind = |address: [u8; 4], port: u16| -> Result<UdpSocket> {
        let socket = UdpSocket::bind((Ipv4Addr::from(address), port))
            .with_context(|| format!("cannot bind to port {port}"))?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(socket)
    };
    let (there, back) = (bind([127, 0, 0, 1], THERE)?, bind([127, 0, 0, 1], BACK)?);
    let (client, stranger) = (bind([127, 0, 0, 1], 0)?, bind([127, 0, 0, 2], 0)?);
    let mut room = vec![0; 65_536];
    for length in [0, 1, 1_472, 9_000, 65_507] {
        let payload: Vec<u8> = (0..=250u8).cycle().take(length).collect();
        // Were it forwarded, it would come first.
        stranger.send_to(&vec![0xEE; length.max(1)], (Ipv4Addr::LOCALHOST, INSIDE))?;
        client.send_to(&payload, (Ipv4Addr::LOCALHOST, INSIDE))?;
        let (got, from) =
            there.recv_from(&mut room).with_context(|| format!("{length} bytes did not come"))?;
        ensure!(room[..got] == payload && from.port() == OUTSIDE, "{length} bytes came as {got} from {from}");
        there.send_to(&payload, (Ipv4Addr::LOCALHOST, OUTSIDE))?;
        let (got, from) =
            back.recv_from(&mut room).with_context(|| format!("{length} bytes did not come back"))?;
        ensure!(room[..got] == payload && from.port() == INSIDE, "{length} bytes came as {got} from {from}");
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
    for name in ["skua.h", "skua_user.h", "skua.hpp"] {
        let text = format!("#include <{name}>\n#include <{name}>\ntypedef int not_empty;\n");
        for (reader, language) in READERS {
            if name.ends_with(".hpp") && !language.contains(&"c++") {
                continue;
            }
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
