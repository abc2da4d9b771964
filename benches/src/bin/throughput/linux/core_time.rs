//! What a core did for others.

use std::fs;
use std::time::{Duration, Instant};

/// A clock tick of /proc/stat (USER_HZ, the same on every Linux that Rust knows).
const TICK: Duration = Duration::from_millis(10);

/// How long a core was idle until a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoreTime {
    core: usize,
    at: Instant,
    idle: Duration,
}

impl CoreTime {
    /// Now; `None` where the system does not tell.
    pub(super) fn now(core: usize) -> Option<Self> {
        let idle = idle_of(&fs::read_to_string("/proc/stat").ok()?, core)?;
        Some(Self { core, at: Instant::now(), idle })
    }

    /// The part of the time since then in which the core did something else than the `own` work.
    pub(super) fn for_others(self, own: Duration) -> Option<f64> {
        let now = Self::now(self.core)?;
        let wall = now.at - self.at;
        let busy = wall.saturating_sub(now.idle.saturating_sub(self.idle));
        // Idle time is counted in whole ticks.
        let others = busy.saturating_sub(own).saturating_sub(TICK);
        Some(others.as_secs_f64() / wall.as_secs_f64().max(1e-3))
    }
}

/// Of /proc/stat: a line for each core, with times as user, nice, system, idle, waiting for disks, ...
fn idle_of(stat: &str, core: usize) -> Option<Duration> {
    let name = format!("cpu{core}");
    let line = stat.lines().find(|line| line.split(' ').next() == Some(&name))?;
    let mut times = line.split_whitespace().skip(4).map(str::parse);
    let (idle, waiting): (u32, u32) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(TICK * idle.saturating_add(waiting))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_that_of_the_core() {
        let stat = "cpu  9 9 9 99 9 9 9 0 0 0\ncpu1 1 2 3 40 2 5 6 0 0 0\ncpu10 1 2 3 70 0 5 6 0 0 0\n";
        assert_eq!(idle_of(stat, 1), Some(Duration::from_millis(420)));
        assert_eq!(idle_of(stat, 10), Some(Duration::from_millis(700)));
        assert_eq!(idle_of(stat, 0), None);
    }
}
