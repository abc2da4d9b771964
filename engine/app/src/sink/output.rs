//! Where records go.

use std::io;

use skua_record::Record;

use crate::snapshot::Snapshot;

/// One place that records are written to.
///
/// The reader's thread calls it. What it is lent lies in the ring and is gone when the call returns.
pub(crate) trait Output: Send {
    /// What messages call it: a file's path, for most.
    fn name(&self) -> String;

    /// Takes one record. `time` is in ns since 1970-01-01 UTC; `lost` datagrams were lost since the record before.
    ///
    /// # Errors
    /// What the system said when the output could not be written; the output is not used again.
    fn write(&mut self, record: &Record<'_>, time: u64, lost: u64) -> io::Result<()>;

    /// Makes everything that was written visible to whoever reads the output.
    ///
    /// # Errors
    /// As [`Output::write`].
    fn flush(&mut self) -> io::Result<()>;

    /// Ends the output. `time` is now, `totals` what the whole run counted.
    ///
    /// # Errors
    /// As [`Output::write`].
    fn finish(&mut self, time: u64, totals: &Snapshot) -> io::Result<()>;

    /// Datagrams that reached the place.
    fn written(&self) -> u64;
}

/// All outputs of a sink. One that fails is closed and reported once; the others go on.
pub(crate) struct Outputs {
    open: Vec<Box<dyn Output>>,
    // What the closed ones had written.
    closed: Vec<u64>,
    failed: Vec<OutputError>,
}

/// An output that stopped.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {source}; it ends after {written} datagrams and is readable, the sink goes on: {advice}")]
pub(crate) struct OutputError {
    name: String,
    written: u64,
    advice: &'static str,
    source: io::Error,
}

impl OutputError {
    /// Whether the output was a pipe whose reader went away, which is how `| head` says "enough".
    pub(crate) fn is_hang_up(&self) -> bool {
        self.source.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Outputs {
    /// At least one.
    pub(crate) fn new(open: Vec<Box<dyn Output>>) -> Self {
        Self { open, closed: Vec::new(), failed: Vec::new() }
    }

    /// Hands one record to every output.
    #[inline]
    pub(crate) fn write(&mut self, record: &Record<'_>, time: u64, lost: u64) {
        self.each(|output| output.write(record, time, lost));
    }

    /// Flushes every output.
    pub(crate) fn flush(&mut self) {
        self.each(|output| output.flush());
    }

    /// Ends every output.
    pub(crate) fn finish(&mut self, time: u64, totals: &Snapshot) {
        self.each(|output| output.finish(time, totals));
    }

    /// Datagrams that reached every output there is, closed ones included.
    pub(crate) fn written(&self) -> u64 {
        self.open.iter().map(|output| output.written()).chain(self.closed.iter().copied()).min().unwrap_or(0)
    }

    /// Outputs that failed since this was last asked.
    pub(crate) fn take_failed(&mut self) -> Vec<OutputError> {
        std::mem::take(&mut self.failed)
    }

    #[inline]
    fn each(&mut self, mut act: impl FnMut(&mut dyn Output) -> io::Result<()>) {
        let mut index = 0;
        while index < self.open.len() {
            match act(&mut *self.open[index]) {
                Ok(()) => index += 1,
                Err(error) => self.close(index, error),
            }
        }
    }

    #[cold]
    fn close(&mut self, index: usize, source: io::Error) {
        let output = self.open.remove(index);
        self.closed.push(output.written());
        self.failed.push(OutputError {
            name: output.name(),
            written: output.written(),
            advice: advice(source.kind()),
            source,
        });
    }
}

fn advice(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind::{BrokenPipe, FileTooLarge, QuotaExceeded, StorageFull};
    match kind {
        StorageFull | QuotaExceeded => "free some space and start it again with another file",
        FileTooLarge => "raise the limit on file sizes (ulimit -f) or keep fewer bytes (--snaplen)",
        BrokenPipe => "its reader went away",
        _ => "look at the device it is on",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use skua_record::Family;

    use super::*;
    use crate::sink::specimen;

    struct Bounded {
        bound: u64,
        written: Arc<AtomicU64>,
    }

    impl Output for Bounded {
        fn name(&self) -> String {
            format!("bounded-{}", self.bound)
        }

        fn write(&mut self, _: &Record<'_>, _: u64, _: u64) -> io::Result<()> {
            if self.written() == self.bound {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn finish(&mut self, _: u64, _: &Snapshot) -> io::Result<()> {
            Ok(())
        }

        fn written(&self) -> u64 {
            self.written.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn one_that_fails_is_reported_once_and_the_others_go_on() {
        let counts: [Arc<AtomicU64>; 2] = Default::default();
        let mut outputs = Outputs::new(vec![
            Box::new(Bounded { bound: 2, written: counts[0].clone() }),
            Box::new(Bounded { bound: 100, written: counts[1].clone() }),
        ]);
        let frame = specimen::frame(specimen::header(0), Family::V4, b"x", 1);
        for _ in 0..10 {
            outputs.write(&Record::parse(&frame).unwrap(), 0, 0);
        }
        assert_eq!(counts.each_ref().map(|count| count.load(Ordering::Relaxed)), [2, 10]);
        assert_eq!(outputs.written(), 2);
        let failed = outputs.take_failed();
        assert_eq!(failed.len(), 1);
        let line = failed[0].to_string();
        assert!(
            line.contains("bounded-2") && line.contains("after 2 datagrams") && !line.contains('\n'),
            "{line}"
        );
        assert!(outputs.take_failed().is_empty());
    }
}
