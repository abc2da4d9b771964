//! How long a process waited for a core that others had.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What the threads of a process did until a moment, by their number (proc_pid_task(5), schedstat): the time on a core, and
/// the time that they were ready for one and had none.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(BTreeMap<String, Thread>);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Thread {
    ran: Duration,
    waited: Duration,
}

impl Waiting {
    /// Until now. A kernel that does not tell has nobody wait.
    pub(super) fn of(process: u32) -> Self {
        let tasks = fs::read_dir(format!("/proc/{process}/task"));
        let threads = tasks.into_iter().flatten().flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            Some((task.file_name().to_string_lossy().into_owned(), Thread::parse(&text)?))
        });
        Self(threads.collect())
    }

    /// How long its threads waited between `before` and this moment, for others than each other.
    pub(super) fn for_others(&self, before: &Self) -> Duration {
        let threads: Vec<Thread> = self
            .0
            .iter()
            .map(|(number, now)| now.since(before.0.get(number).copied().unwrap_or_default()))
            .collect();
        let ran: Duration = threads.iter().map(|thread| thread.ran).sum();
        threads.iter().map(|thread| thread.waited.saturating_sub(ran - thread.ran)).sum()
    }
}

impl Thread {
    /// Of two numbers of ns; a count of time slices follows.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().map(|number| number.parse().map(Duration::from_nanos));
        Some(Self { ran: numbers.next()?.ok()?, waited: numbers.next()?.ok()? })
    }

    fn since(self, before: Self) -> Self {
        Self { ran: self.ran.saturating_sub(before.ran), waited: self.waited.saturating_sub(before.waited) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(threads: &[(&str, &str)]) -> Waiting {
        Waiting(
            threads
                .iter()
                .map(|(number, text)| ((*number).to_owned(), Thread::parse(text).unwrap()))
                .collect(),
        )
    }

    #[test]
    fn threads_that_wait_for_each_other_wait_for_nobody_else() {
        let before = waiting(&[("1", "100 10 1\n")]);
        // The second was started in between.
        let after = waiting(&[("1", "1100 210 5\n"), ("2", "200 1000 5\n")]);
        assert_eq!(after.for_others(&before), Duration::ZERO);
        let disturbed = waiting(&[("1", "1100 510 5\n"), ("2", "200 1100 5\n")]);
        assert_eq!(disturbed.for_others(&before), Duration::from_nanos(300 + 100));
    }

    #[test]
    fn this_process_is_told_of_its_threads() {
        assert!(!Waiting::of(std::process::id()).0.is_empty());
        assert_eq!(Thread::parse("nonsense"), None);
    }
}
