//! Receivers that are somebody else's programs, started as their users would.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use socket2::SockRef;

use super::child::{Child, enter};
use super::contestant::{Counts, LIMIT, Running, Start, socket};
use crate::case::Path;

const RSYSLOG: &str = r#"global(workDirectory="{folder}")
module(load="imudp")
input(type="imudp" address="{address}" port="{port}" rcvbufSize="{buffer}" ruleset="sink")
ruleset(name="sink") { action(type="omfile" file="/dev/null") }
"#;

const SYSLOG_NG: &str = r#"@version: 3.38
options { stats_freq(0); use_dns(no); };
source s { udp(ip("{address}") port({port}) so_rcvbuf({buffer})); };
destination d { file("/dev/null"); };
log { source(s); destination(d); };
"#;

/// A program. In its arguments and its configuration, `{address}`, `{port}`, `{interface}`, `{buffer}`, `{configuration}`
/// and `{folder}` (a temporary one) stand for what it is started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    /// What it is, in one line.
    pub(crate) what: String,
    executable: String,
    arguments: Vec<String>,
    configuration: Option<&'static str>,
    /// Debian's package of it.
    package: Option<&'static str>,
    /// It reads what crosses the interface, not a socket, and says how much that was.
    captures: bool,
}

/// Those that this program knows.
pub(super) fn known() -> Vec<Program> {
    let program = |name: &str, what: &str, line: &str, package| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Program {
            name: name.to_owned(),
            what: what.to_owned(),
            executable: words.next().unwrap_or_default(),
            arguments: words.collect(),
            configuration: None,
            package: Some(package),
            captures: false,
        }
    };
    vec![
        Program {
            configuration: Some(RSYSLOG),
            ..program(
                "rsyslog",
                "rsyslogd, imudp to omfile /dev/null",
                "rsyslogd -n -i {folder}/pid -f {configuration}",
                "rsyslog",
            )
        },
        Program {
            configuration: Some(SYSLOG_NG),
            ..program(
                "syslog-ng",
                "syslog-ng, udp to file /dev/null",
                "syslog-ng -F --no-caps -f {configuration} -R {folder}/persist -c {folder}/control -p {folder}/pid",
                "syslog-ng-core",
            )
        },
        program(
            "socat",
            "socat, UDP4-RECV to /dev/null",
            "socat -u UDP4-RECV:{port},bind={address},rcvbuf={buffer} OPEN:/dev/null,wronly",
            "socat",
        ),
        Program {
            captures: true,
            ..program(
                "tcpdump",
                "tcpdump, its packet ring to /dev/null",
                "tcpdump -n -Q in -Z root -i {interface} -B 16384 -w /dev/null udp dst port {port}",
                "tcpdump",
            )
        },
        Program {
            captures: true,
            ..program(
                "tcpdump-file",
                "tcpdump, its packet ring to a file",
                "tcpdump -n -Q in -Z root -i {interface} -B 16384 -w {folder}/capture.pcap udp dst port {port}",
                "tcpdump",
            )
        },
    ]
}

impl FromStr for Program {
    type Err = String;

    /// `NAME=COMMAND`: a program that receives from a socket on `{port}`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').ok_or("give NAME=COMMAND")?;
        let mut words = command.split_whitespace().map(str::to_owned);
        let executable = words.next().ok_or("give a command after the =")?;
        if !command.contains("{port}") {
            return Err("say where {port} goes in the command".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            what: command.to_owned(),
            executable,
            arguments: words.collect(),
            configuration: None,
            package: None,
            captures: false,
        })
    }
}

impl Program {
    /// Why it cannot be measured here, or on `path`, if it cannot.
    pub(super) fn missing(&self, path: Option<Path>) -> Option<String> {
        if self.found().is_none() {
            let install = self.package.map(|package| format!(": apt-get install {package}"));
            return Some(format!("{} is not installed{}", self.executable, install.unwrap_or_default()));
        }
        if self.captures && path == Some(Path::Veth) && is_user_namespace() {
            return Some(
                "it changes its user, which it may not in a user namespace; run this as root".to_owned(),
            );
        }
        let whole = self.captures && path.is_some_and(|path| path != Path::Veth);
        whole.then(|| {
            "it sees what is sent or coalesced together as one packet here; measured over veth".to_owned()
        })
    }

    /// Starts it on a port that is free.
    pub(super) fn start(&self, start: &Start<'_>) -> Result<Running> {
        let executable = self.found().with_context(|| format!("{} is not installed", self.executable))?;
        let claim = claim(start)?;
        let address = claim.local_addr()?;
        let temporary = tempfile::tempdir().context("no temporary folder")?;
        let folder = temporary.path().to_string_lossy();
        let configuration = format!("{folder}/configuration");
        let fill = |text: &str| {
            text.replace("{address}", &address.ip().to_string())
                .replace("{port}", &address.port().to_string())
                .replace("{interface}", start.interface)
                .replace("{buffer}", &start.receive_buffer.to_string())
                .replace("{configuration}", &configuration)
                .replace("{folder}", &folder)
        };
        if let Some(text) = self.configuration {
            fs::write(&configuration, fill(text))?;
        }
        let mut command = Command::new(executable);
        command.args(self.arguments.iter().map(|argument| fill(argument)));
        if self.captures {
            let mut child = Child::start(&mut command, start.place)?;
            child.hear_error(LIMIT, |line| line.contains("listening on").then_some(()))?;
            return Ok(Running { child, address, counts: Counts::Capture(claim), _folder: Some(temporary) });
        }
        drop(claim);
        let mut child = Child::start(&mut command, start.place)?;
        child.until(LIMIT, |id| socket(id, address.port()).is_some())?;
        Ok(Running { child, address, counts: Counts::Socket, _folder: Some(temporary) })
    }

    fn found(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
        folders.map(|folder| folder.join(&self.executable)).find(|file| file.is_file())
    }
}

/// Whether this process knows but one user: all of them are mapped otherwise (user_namespaces(7)).
fn is_user_namespace() -> bool {
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    users.split_whitespace().nth(2) == Some("1")
}

/// A socket on a free port in the receiver's network, which holds as little as the system lets it.
fn claim(start: &Start<'_>) -> Result<UdpSocket> {
    let address = SocketAddr::new(start.address, 0);
    let bind = || -> Result<UdpSocket> {
        let socket = UdpSocket::bind(address)?;
        SockRef::from(&socket).set_recv_buffer_size(1)?;
        Ok(socket)
    };
    let Some(namespace) = start.place.namespace.clone() else { return bind() };
    // A thread of its own, which takes the namespace with it when it ends.
    let bound = std::thread::scope(|scope| {
        let bound = scope.spawn(|| {
            enter(&namespace)?;
            bind()
        });
        bound.join()
    });
    bound.map_err(|_| anyhow::anyhow!("no socket in the receiver's network"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_users_own_is_a_name_and_a_command() {
        let program: Program = "mine=/opt/mine --port {port} -x a=b".parse().unwrap();
        assert_eq!((program.name.as_str(), program.executable.as_str()), ("mine", "/opt/mine"));
        assert_eq!(program.arguments, ["--port", "{port}", "-x", "a=b"]);
        for wrong in ["mine", "mine=", "mine=x --port 5"] {
            assert!(wrong.parse::<Program>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_installed_is_named_with_its_package() {
        let program = Program { executable: "skua-no-such-program".to_owned(), ..known().remove(0) };
        let why = program.missing(None).unwrap();
        assert!(why.contains("skua-no-such-program") && why.contains("apt-get install rsyslog"), "{why}");
    }
}
