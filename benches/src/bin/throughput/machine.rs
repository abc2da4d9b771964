//! The machine that was measured.

use std::fmt;
use std::fs;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// What a reader has to know of it. What the host does not tell is `None`.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Machine {
    pub(crate) processor: Option<String>,
    pub(crate) cores: usize,
    pub(crate) kernel: Option<String>,
    /// How the processor's clock is chosen.
    pub(crate) governor: Option<String>,
    /// Whether it is a virtual one, as its processor says.
    pub(crate) virtual_machine: bool,
    /// Architecture and system of this program.
    pub(crate) compiled_for: String,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = processors.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        Self {
            processor: field("model name"),
            cores: available_parallelism().map_or(1, usize::from),
            kernel: line("/proc/sys/kernel/osrelease").map(|release| format!("Linux {release}")),
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            virtual_machine: field("flags")
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            compiled_for: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        write!(
            f,
            "{} {}core(s) of {}, {} ({}), governor {}",
            self.cores,
            if self.virtual_machine { "virtual " } else { "" },
            known(&self.processor),
            known(&self.kernel),
            self.compiled_for,
            known(&self.governor)
        )
    }
}
