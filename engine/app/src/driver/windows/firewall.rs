//! The Windows Firewall: a rule of our own, and what all rules say.
//!
//! The rule is added and removed by `netsh advfirewall`, which every Windows has and which says by its exit status whether
//! it did. Rules are read from the registry, because what netsh prints is in the system's language.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use windows_registry::LOCAL_MACHINE;

use crate::driver::rules::{Verdict, verdict};

/// What our rule is called; removing it removes every rule of this name.
const RULE: &str = "Skua";

/// Where rules are: the machine's own, and those of a group policy.
const RULES: [&str; 2] = [
    r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules",
    r"SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules",
];

/// Where each profile says whether the firewall is on.
const PROFILES: [&str; 3] = ["DomainProfile", "StandardProfile", "PublicProfile"];
const POLICY: &str = r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy";

/// The ports that others must reach for `addresses` to hear them: those not of the loopback.
pub(super) fn ports(addresses: impl IntoIterator<Item = SocketAddr>) -> BTreeSet<u16> {
    addresses
        .into_iter()
        .filter(|address| !address.ip().is_loopback() && address.port() != 0)
        .map(|address| address.port())
        .collect()
}

/// Puts our rule in force for these UDP ports, in place of the one before.
///
/// # Errors
/// A line that says what to do instead.
pub(super) fn let_in(ports: &BTreeSet<u16>) -> Result<(), String> {
    // There may be none.
    let _ = remove();
    if ports.is_empty() {
        return Ok(());
    }
    let arguments = [&format!("name={RULE}"), "dir=in", "action=allow", "protocol=UDP", &local_ports(ports)];
    if netsh("add", &arguments) {
        Ok(())
    } else {
        Err(format!(
            "no rule of the firewall was added; add one for UDP {}: `{}`",
            list(ports),
            by_hand(ports)
        ))
    }
}

/// Removes our rule. Says whether there was one.
pub(super) fn remove() -> bool {
    netsh("delete", &[&format!("name={RULE}")])
}

/// What an operator should know of the firewall and these ports, a line each; nothing if all are let in.
pub(super) fn warnings(ports: &BTreeSet<u16>) -> Vec<String> {
    if ports.is_empty() || is_off() {
        return Vec::new();
    }
    let Some(rules) = rules() else {
        return vec!["the firewall's rules cannot be read; see that it lets the ports in".to_owned()];
    };
    let mut lines = Vec::new();
    let mut without = BTreeSet::new();
    for &port in ports {
        match verdict(&rules, port) {
            Verdict::Allowed(_) => {}
            Verdict::Blocked(name) => {
                lines.push(format!("the firewall's rule {name:?} keeps UDP {port} out; disable it"));
            }
            Verdict::NoRule => {
                without.insert(port);
            }
        }
    }
    if !without.is_empty() {
        let (ports, command) = (list(&without), by_hand(&without));
        lines.push(format!("no rule of the firewall lets UDP {ports} in; add one: `{command}`"));
    }
    lines
}

/// Every rule there is, if any place has some.
fn rules() -> Option<Vec<String>> {
    let keys: Vec<_> = RULES.into_iter().filter_map(|path| LOCAL_MACHINE.open(path).ok()).collect();
    if keys.is_empty() {
        return None;
    }
    let values = |key: &windows_registry::Key| {
        let values = key.values().into_iter().flatten();
        values.filter_map(|(_, value)| String::try_from(value).ok()).collect::<Vec<_>>()
    };
    Some(keys.iter().flat_map(values).collect())
}

/// Whether every profile says so.
fn is_off() -> bool {
    let off = |profile: &str| {
        let key = LOCAL_MACHINE.open(format!(r"{POLICY}\{profile}"));
        key.and_then(|key| key.get_u32("EnableFirewall")).is_ok_and(|on| on == 0)
    };
    PROFILES.into_iter().all(off)
}

fn netsh(verb: &str, arguments: &[&str]) -> bool {
    let status = Command::new("netsh")
        .args(["advfirewall", "firewall", verb, "rule"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The command that adds the rule.
fn by_hand(ports: &BTreeSet<u16>) -> String {
    let ports = local_ports(ports);
    format!("netsh advfirewall firewall add rule name={RULE} dir=in action=allow protocol=UDP {ports}")
}

fn local_ports(ports: &BTreeSet<u16>) -> String {
    format!("localport={}", list(ports))
}

fn list(ports: &BTreeSet<u16>) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
