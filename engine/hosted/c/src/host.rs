//! The one kernel of this process.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use skua_hosted::middleware::Middleware;
use skua_hosted::middleware::quirk::{Quirk, Split};
use skua_hosted::{Finding, HostConfig, HostKernel, OnFinding, ProviderConfig, Transport, VerifierConfig};

use crate::control;

/// Begins each line that this library writes.
pub(crate) const MARK: &str = "skua-wsk";

static KERNEL: OnceLock<HostKernel> = OnceLock::new();

/// Made when it is first needed; it stays until the process ends.
pub(crate) fn kernel() -> &'static HostKernel {
    KERNEL.get_or_init(|| {
        control::look_for_leaks_at_exit();
        HostKernel::new(config())
    })
}

/// The kernel, if there is one.
pub(crate) fn existing() -> Option<&'static HostKernel> {
    KERNEL.get()
}

/// What `SkuaConfigure` was given, or else the environment, or else two processors over the host's sockets with the
/// verifier on.
fn config() -> HostConfig {
    let settings = control::settings();
    let processors = settings.processors.or_else(|| number("SKUA_WSK_PROCESSORS")).unwrap_or(2).clamp(1, 64);
    let workers = settings.workers.or_else(|| number("SKUA_WSK_WORKERS")).unwrap_or(1);
    let transport = settings.transport.or_else(|| choice("SKUA_WSK_TRANSPORT", &TRANSPORTS));
    let on_finding = settings.on_finding.or_else(|| choice("SKUA_WSK_VERIFIER", &ON_FINDING));
    HostConfig {
        processors,
        provider: ProviderConfig {
            transport: transport.unwrap_or(Transport::Os),
            workers,
            middleware: quirks(),
            indicate_below_dispatch: number("SKUA_WSK_BELOW_DISPATCH") == Some(1),
            ..ProviderConfig::default()
        },
        verifier: verifier(on_finding.unwrap_or(Findings::Report)),
        ..HostConfig::default()
    }
}

/// What findings lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Findings {
    /// There is no verifier.
    Off,
    /// Each is written to standard error, and execution goes on.
    Report,
    /// The first ends the process.
    Abort,
    /// They are kept.
    Record,
}

const TRANSPORTS: [(&str, Transport); 3] =
    [("os", Transport::Os), ("portable", Transport::Portable), ("loopback", Transport::Loopback)];

const ON_FINDING: [(&str, Findings); 4] = [
    ("off", Findings::Off),
    ("report", Findings::Report),
    ("abort", Findings::Abort),
    ("record", Findings::Record),
];

/// What SKUA_WSK_QUIRKS names, each: legal behaviour that a client must survive, and some that others have seen.
const QUIRKS: [(&str, Quirk); 11] = [
    ("inline-completion", Quirk::InlineCompletion),
    ("deferred-completion", Quirk::DeferredCompletion),
    ("pending-after-inline", Quirk::PendingAfterInline),
    ("missing-control", Quirk::MissingControl),
    ("split-chains", Quirk::SplitChains(Split::Seeded(1))),
    ("split-everywhere", Quirk::SplitChains(Split::AcrossParts)),
    ("unmapped-mdls", Quirk::UnmappedMdls),
    ("null-mdl-for-empty", Quirk::NullMdlForEmpty),
    ("one-by-one", Quirk::OneByOne),
    ("reversed", Quirk::Reversed),
    ("dying", Quirk::Dying { after: 2 }),
];

fn quirks() -> Vec<Arc<dyn Middleware>> {
    let text = std::env::var("SKUA_WSK_QUIRKS").unwrap_or_default();
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| chosen("SKUA_WSK_QUIRKS", name, &QUIRKS).middleware()).collect()
}

fn verifier(findings: Findings) -> Option<VerifierConfig> {
    let on_finding = match findings {
        Findings::Off => return None,
        Findings::Report => OnFinding::Tell(tell),
        Findings::Abort => OnFinding::Abort,
        Findings::Record => OnFinding::Record,
    };
    Some(VerifierConfig { on_finding, ..VerifierConfig::default() })
}

fn tell(finding: &Finding) {
    say(&format!("finding: {finding}"));
}

/// Writes a line to standard error, whole.
pub(crate) fn say(text: &str) {
    let line = format!("{MARK}: {}\n", text.trim_end());
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Ends the process.
pub(crate) fn fatal(text: &str) -> ! {
    say(&format!("fatal: {text}"));
    std::process::abort()
}

fn number(name: &str) -> Option<u32> {
    let text = std::env::var(name).ok()?;
    match text.trim().parse() {
        Ok(value) => Some(value),
        Err(_) => fatal(&format!("{name} is {text:?}, which is no number")),
    }
}

fn choice<T: Copy>(name: &str, choices: &[(&str, T)]) -> Option<T> {
    Some(chosen(name, std::env::var(name).ok()?.trim(), choices))
}

fn chosen<T: Copy>(name: &str, text: &str, choices: &[(&str, T)]) -> T {
    match choices.iter().find(|(choice, _)| *choice == text) {
        Some((_, value)) => *value,
        None => {
            let known: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
            fatal(&format!("{name} has {text:?}; it may be {}", known.join(", ")))
        }
    }
}
