//! What is measured, and how.

use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{Result, ensure};

use super::program::Program;
use crate::case::{Case, Path, Rate};
use crate::cli::{Preset, RunArguments, What};

/// Everything that the command line says, and what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// All of them when it is empty.
    pub(crate) receivers: Vec<String>,
    pub(crate) programs: Vec<Program>,
    pub(crate) paths: Vec<Path>,
    pub(crate) sizes: Vec<u16>,
    pub(crate) rates: Vec<Rate>,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) baseline: String,
    pub(crate) burst: Option<u16>,
    pub(crate) segmented: bool,
    pub(crate) sender_core: usize,
    pub(crate) receiver_core: usize,
    pub(crate) receive_buffer: u32,
    /// How often at most a disturbed measurement is made again.
    pub(crate) repeats: u32,
    /// Whether loopback is also that of a namespace of its own.
    pub(crate) namespaces: bool,
    /// Empty: to be found.
    pub(crate) skua: PathBuf,
}

/// What a user would pick, in little time.
const USUAL: [&str; 11] = [
    "std",
    "recvmmsg-control",
    "recvmmsg-gro-control",
    "quinn-udp",
    "quinn-udp-gro",
    "tokio",
    "tokio-pipeline",
    "skua",
    "skua-payloads",
    "skua-unmoderated",
    "skua-coalesce",
];

/// What runs without any other program than those of this workspace.
const SMOKE: [&str; 12] = [
    "std",
    "recvmmsg",
    "recvmmsg-control",
    "recvmmsg-gro",
    "recvmmsg-gro-control",
    "io-uring",
    "quinn-udp",
    "quinn-udp-gro",
    "tokio",
    "tokio-pipeline",
    "skua",
    "skua-coalesce",
];

/// Whose readers say when they have a datagram.
const LATENCY: [&str; 6] =
    ["recvmmsg", "tokio", "tokio-pipeline", "skua-at-once", "skua-moderated", "skua-resting"];

impl Setting {
    /// What the arguments say; what they leave out is the preset's.
    pub(crate) fn new(what: What, arguments: &RunArguments) -> Result<Self> {
        let preset = Self::preset(what, arguments.preset);
        let list = |given: &[String], otherwise: Vec<String>| {
            if given.is_empty() { otherwise } else { given.to_vec() }
        };
        let cores = available_parallelism().map_or(1, usize::from);
        ensure!(
            cores > 1 || arguments.sender_core == arguments.receiver_core,
            "this machine has one core; sender and receiver need one each"
        );
        let programs: Result<Vec<Program>, String> =
            arguments.program.iter().map(|program| program.parse()).collect();
        let mut receivers = list(&arguments.receiver, preset.receivers);
        let baseline = arguments.baseline.clone().unwrap_or(preset.baseline);
        if !receivers.is_empty() && !receivers.contains(&baseline) && what == What::Cost {
            receivers.insert(0, baseline.clone());
        }
        Ok(Self {
            receivers: if receivers.iter().any(|name| name == "all") { Vec::new() } else { receivers },
            programs: programs.map_err(|why| anyhow::anyhow!("--program: {why}"))?,
            paths: if arguments.path.is_empty() { preset.paths } else { arguments.path.clone() },
            sizes: if arguments.size.is_empty() { preset.sizes } else { arguments.size.clone() },
            rates: if arguments.rate.is_empty() { preset.rates } else { arguments.rate.clone() },
            rounds: arguments.rounds.unwrap_or(preset.rounds),
            seconds: arguments.seconds.unwrap_or(preset.seconds),
            baseline,
            burst: arguments.burst,
            segmented: !arguments.unsegmented,
            sender_core: arguments.sender_core,
            receiver_core: arguments.receiver_core,
            receive_buffer: arguments.receive_buffer,
            repeats: arguments.repeats,
            namespaces: arguments.namespaces,
            skua: arguments.skua.clone().unwrap_or_default(),
        })
    }

    /// Every combination of path, size and rate.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for &path in &self.paths {
            for &size in &self.sizes {
                cases.extend(self.rates.iter().map(|&rate| Case { path, size, rate }));
            }
        }
        cases
    }

    fn preset(what: What, preset: Preset) -> Self {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let base = Self {
            receivers: names(&USUAL),
            programs: Vec::new(),
            paths: vec![Path::Lo],
            sizes: vec![64, 1400],
            rates: vec![Rate::Max, Rate::Paced(200_000)],
            rounds: 3,
            seconds: 0.8,
            baseline: "recvmmsg-control".to_owned(),
            burst: None,
            segmented: true,
            sender_core: 0,
            receiver_core: 1,
            receive_buffer: 16 << 20,
            repeats: 2,
            namespaces: false,
            skua: PathBuf::new(),
        };
        match (what, preset) {
            (What::Cost, Preset::Laptop) => base,
            (What::Cost, Preset::Full) => Self {
                receivers: Vec::new(),
                paths: vec![Path::Lo, Path::Veth, Path::VethGro],
                sizes: vec![64, 512, 1400],
                rates: vec![Rate::Max, Rate::Paced(200_000), Rate::Paced(50_000), Rate::Paced(10_000)],
                rounds: 5,
                seconds: 1.0,
                ..base
            },
            (What::Cost, Preset::Smoke) => Self {
                receivers: names(&SMOKE),
                sizes: vec![64],
                rates: vec![Rate::Paced(200_000)],
                rounds: 1,
                seconds: 0.2,
                ..base
            },
            (What::Latency, preset) => {
                let (rounds, seconds) = match preset {
                    Preset::Laptop => (3, 2.0),
                    Preset::Full => (5, 10.0),
                    Preset::Smoke => (1, 0.2),
                };
                Self {
                    receivers: names(&LATENCY),
                    sizes: vec![64],
                    rates: vec![Rate::Paced(10_000), Rate::Paced(100_000), Rate::Paced(200_000)],
                    rounds,
                    seconds,
                    baseline: "recvmmsg".to_owned(),
                    ..base
                }
            }
        }
    }
}
