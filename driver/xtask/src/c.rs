//! The C libraries: their tests in C, and the drivers that run under Wine, as programs of this machine.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use crate::cli::CArguments;
use crate::process::Process;
use crate::tool::{self, Tool};
use crate::{c_engine, cargo, process};

/// Longest that building the library, or its tests in Rust, may take.
pub(crate) const BUILD: Duration = Duration::from_secs(10 * 60);
/// Longest that compiling one program may take.
pub(crate) const COMPILE: Duration = Duration::from_secs(60);
/// Longest that one program may run.
const RUN: Duration = Duration::from_secs(60);

/// What every file is compiled with.
const WARNINGS: [&str; 3] = ["-Wall", "-Wextra", "-Werror"];
/// And the headers, by themselves.
const PEDANTIC: &str = "-Wpedantic";
/// WCHAR is 16 bits wide, and so are L"" literals then.
const C: [&str; 2] = ["-std=c11", "-fshort-wchar"];

/// The compilers of programs: each compiles and runs all of them.
pub(crate) const COMPILERS: [(&str, Tool); 2] = [("gcc", tool::GCC), ("clang", tool::CLANG)];

/// Where echo.c listens, of IPv4, by copies.
const ECHO_PORT: u16 = 17007;
/// What a conforming client of any provider survives, by the names of SKUA_WSK_QUIRKS.
const QUIRKS: [&str; 6] = [
    "inline-completion",
    "deferred-completion",
    "split-chains",
    "split-everywhere",
    "unmapped-mdls",
    "one-by-one,reversed",
];
/// How many rules wrong.c breaks.
const BROKEN: usize = 10;

pub(crate) fn run(arguments: &CArguments) -> Result<()> {
    tool::require(&[tool::GCC, tool::CLANG, tool::CXX, tool::MINGW_GCC])?;
    process::run_shown(cargo::command().args(["build", "--package", "skua-wsk"]), BUILD)?;
    process::run_shown(cargo::command().args(["test", "--quiet", "--package", "skua-wsk"]), BUILD)?;
    let room = tempfile::tempdir().context("cannot make a folder to compile in")?;
    let library = Library { folder: cargo::target_directory().join("debug"), room: room.path() };
    headers(&library)?;
    for program in programs()?.iter().filter(|program| program.is_wanted(&arguments.filters)) {
        if let [source, _loader] = program.sources.as_slice() {
            library.check_with_mingw(source)?;
        }
        for (name, compiler) in COMPILERS {
            let binary = library.compile(program, name, compiler)?;
            (program.check)(&binary).with_context(|| format!("{}, compiled by {name}", program.name))?;
            println!("{} ({name}) ok", program.name);
            if program.is_to_survive() {
                survives(&binary).with_context(|| program.name.clone())?;
            }
        }
    }
    c_engine::run(&arguments.filters)
}

/// The crate's folder.
fn home() -> PathBuf {
    cargo::root().join("engine/hosted/c")
}

/// Runs a program and looks at what it does.
type Check = fn(&Path) -> Result<()>;

/// A program in C.
struct Program {
    name: String,
    sources: Vec<PathBuf>,
    check: Check,
}

impl Program {
    fn is_wanted(&self, filters: &[String]) -> bool {
        filters.is_empty() || filters.iter().any(|filter| self.name.contains(filter.as_str()))
    }

    /// Whether it takes whatever the provider may do; the others look at what theirs does.
    fn is_to_survive(&self) -> bool {
        ["tests/tcp_echo", "examples/tunnel"].contains(&self.name.as_str())
    }
}

/// The tests and examples, which succeed or fail by themselves, and the drivers of driver/wine/client, with the loader.
fn programs() -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for folder in ["tests", "examples"] {
        for source in sources(&home().join(folder))? {
            let name = format!("{folder}/{}", stem(&source));
            let text = fs::read_to_string(&source)?;
            let is_driver = text.contains("DriverEntry(") && !text.contains("int main(");
            let (sources, check): (_, Check) = match is_driver {
                true => (vec![source, home().join("loader.c")], loads),
                false => (vec![source], succeeds),
            };
            programs.push(Program { name, sources, check });
        }
    }
    let drivers: [(_, Check); 3] = [("echo", echoes), ("routines", loads), ("wrong", breaks_rules)];
    for (name, check) in drivers {
        let source = cargo::root().join(format!("driver/wine/client/{name}.c"));
        let sources = vec![source, home().join("loader.c")];
        programs.push(Program { name: format!("client/{name}"), sources, check });
    }
    Ok(programs)
}

/// The files in C of a folder, in the order of their names.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "c"));
    files.sort();
    Ok(files)
}

pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What was built, and where programs go.
struct Library<'a> {
    folder: PathBuf,
    room: &'a Path,
}

impl Library<'_> {
    fn compile(&self, program: &Program, name: &str, compiler: Tool) -> Result<PathBuf> {
        let binary = self.room.join(format!("{}-{name}", program.name.replace('/', "-")));
        let mut command = compiler.command();
        command.args(C).args(WARNINGS).args(["-g", "-O1", "-I"]).arg(home().join("include"));
        command.args(&program.sources).arg("-o").arg(&binary).arg("-L").arg(&self.folder);
        command.args(["-lskua_wsk", &format!("-Wl,-rpath,{}", self.folder.display())]);
        process::run(&mut command, COMPILE)?.success()?;
        Ok(binary)
    }

    /// Compiles a file and links nothing.
    fn check(&self, command: &mut Command, source: &Path) -> Result<()> {
        command.args(WARNINGS).args(["-I"]).arg(home().join("include")).arg("-c").arg(source);
        command.arg("-o").arg(self.room.join("checked.o"));
        process::run(command, COMPILE)?.success().map(drop)
    }

    /// The same, as a driver for Windows.
    fn check_with_mingw(&self, source: &Path) -> Result<()> {
        let mut command = tool::MINGW_GCC.command();
        command.arg("-std=c11").arg("-I").arg(home().join("include"));
        // Debian's place for the headers of drivers, and that of others.
        command.args(["-I/usr/share/mingw-w64/include/ddk", "-I/usr/x86_64-w64-mingw32/include/ddk"]);
        self.check(&mut command, source)
    }
}

/// Each header by itself, in C and in C++; the layouts in C++ and with MinGW's headers of drivers.
fn headers(library: &Library<'_>) -> Result<()> {
    let folder = home().join("include");
    let entries = fs::read_dir(&folder).context("cannot list the headers")?;
    let mut all = String::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".h") {
            let source = library.room.join("header.c");
            let text = format!("#include <{name}>\n#include <{name}>\ntypedef int not_empty;\n");
            fs::write(&source, text).context("cannot write a file to compile")?;
            library.check(tool::GCC.command().args([PEDANTIC, "-std=c11"]), &source)?;
            all.push_str(&format!("#include <{name}>\n"));
        }
    }
    let source = library.room.join("headers.c");
    fs::write(&source, all + "typedef int not_empty;\n").context("cannot write a file to compile")?;
    let layout = home().join("tests/layout.c");
    for source in [&source, &layout] {
        library.check(tool::CXX.command().args([PEDANTIC, "-x", "c++", "-std=c++17"]), source)?;
        library.check(tool::CLANG.command().args([PEDANTIC, "-x", "c++", "-std=c++17"]), source)?;
        library.check(tool::CLANG.command().args([PEDANTIC, "-std=c17"]), source)?;
    }
    println!("headers ok");
    library.check_with_mingw(&layout)?;
    println!("layouts with MinGW's headers ok");
    Ok(())
}

/// A program that tells by its exit code.
fn succeeds(binary: &Path) -> Result<()> {
    process::run(&mut Command::new(binary), RUN)?.success().map(drop)
}

/// A driver that loads, stays for a moment, unloads, and leaves nothing to find.
fn loads(binary: &Path) -> Result<()> {
    process::run(Command::new(binary).args(["--for", "0"]), RUN)?.success().map(drop)
}

/// A program that ends well whatever the provider does.
fn survives(binary: &Path) -> Result<()> {
    for quirk in QUIRKS {
        let mut command = Command::new(binary);
        if binary.to_string_lossy().contains("examples") {
            command.args(["--for", "0"]);
        }
        process::run(command.env("SKUA_WSK_QUIRKS", quirk), RUN)?.success().with_context(|| quirk)?;
        println!("    with {quirk} ok");
    }
    Ok(())
}

/// echo.c: answers datagrams, and ends when it is told to.
fn echoes(binary: &Path) -> Result<()> {
    let mut process = Process::start(&mut Command::new(binary))?;
    process.until("the driver is loaded", RUN, |process| {
        process.stderr().contains(" is loaded").then_some(())
    })?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a socket")?;
    socket.connect((Ipv4Addr::LOCALHOST, ECHO_PORT))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    for length in [0, 1, 1_472, 9_000, 65_507] {
        let payload: Vec<u8> = (0..=250u8).cycle().take(length).collect();
        socket.send(&payload)?;
        let mut answer = vec![0; 65_536];
        let got = socket.recv(&mut answer).with_context(|| format!("no echo of {length} bytes"))?;
        ensure!(answer[..got] == payload, "{length} bytes came back as {got} others");
    }
    process.signal(Signal::TERM)?;
    process.wait(RUN)?.success().map(drop)
}

/// wrong.c: each of the rules that it breaks is one finding, and its exit code says so.
fn breaks_rules(binary: &Path) -> Result<()> {
    let finished = process::run(Command::new(binary).args(["--for", "0"]), RUN)?;
    let found = finished.stderr.matches("skua-wsk: finding: ").count();
    if found != BROKEN || finished.status.code() != Some(1) {
        bail!("{found} findings for {BROKEN} broken rules, {}:\n{}", finished.status, finished.stderr);
    }
    Ok(())
}
