//! A file written in whole units, which stays readable when the disk is full.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

/// Bytes collected before they are written, unless a flush comes first.
const BUFFER_BYTES: usize = 256 * 1024;

/// Collects units (blocks, lines) and writes many at once.
///
/// # Invariants
/// The file ends where a unit ends, except inside [`UnitFile::flush`]: a write that stops half-way is followed by
/// cutting the file back to the last unit that fits. A stream cannot be cut: its reader has the incomplete unit.
#[derive(Debug)]
pub(crate) struct UnitFile {
    file: File,
    // Bytes of complete units in the file; None for a stream, which cannot be cut.
    length: Option<u64>,
    buffer: Vec<u8>,
    // Ends of the units in `buffer` that are datagrams; bytes after the last one belong to a unit not ended yet, or to
    // one that is no datagram.
    ends: Vec<usize>,
    written: u64,
}

impl UnitFile {
    /// Writes to `file`, which is empty.
    pub(crate) fn new(file: File) -> Self {
        Self { length: Some(0), ..Self::stream(file) }
    }

    /// Writes to a stream: what is in it before belongs to somebody else, and is not cut.
    pub(crate) fn stream(file: File) -> Self {
        Self {
            file,
            length: None,
            buffer: Vec::with_capacity(BUFFER_BYTES + 128 * 1024),
            ends: Vec::with_capacity(BUFFER_BYTES / 32),
            written: 0,
        }
    }

    /// Datagrams that are in the file.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The unit being put together: append to it, then call [`UnitFile::end_datagram`] if it is one.
    pub(crate) fn unit(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Ends a unit that is one datagram. Writes when enough were collected.
    ///
    /// # Errors
    /// As [`UnitFile::flush`].
    pub(crate) fn end_datagram(&mut self) -> io::Result<()> {
        self.ends.push(self.buffer.len());
        if self.buffer.len() < BUFFER_BYTES { Ok(()) } else { self.flush() }
    }

    /// Writes what was collected.
    ///
    /// # Errors
    /// The system's, after which the file ends with the last unit that fitted, [`UnitFile::written`] counts exactly the
    /// datagrams before there, and the rest of what was collected is forgotten.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let mut done = 0;
        let mut result = Ok(());
        while done < self.buffer.len() {
            match self.file.write(&self.buffer[done..]) {
                Ok(0) => result = Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => done += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody who shares the pipe made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PIPE_PAUSE),
                Err(error) => result = Err(error),
            }
            if result.is_err() {
                break;
            }
        }
        let whole = self.ends.partition_point(|&end| end <= done);
        self.written += whole as u64;
        if let Some(length) = &mut self.length {
            if result.is_ok() {
                *length += done as u64;
            } else {
                // Units that are no datagrams stand first or last in a file: if they did not fit, nothing of them stays.
                *length += whole.checked_sub(1).map_or(0, |last| self.ends[last]) as u64;
                // A device has no length to set; there is nothing to repair in it either.
                let _ = self.file.set_len(*length);
            }
        }
        self.buffer.clear();
        self.ends.clear();
        result
    }
}

impl Write for UnitFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Does nothing: a unit may be incomplete here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PIPE_PAUSE: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_collected_is_counted_once_it_is_in_the_file() {
        let mut file = UnitFile::new(tempfile::tempfile().unwrap());
        for _ in 0..3 {
            file.unit().extend_from_slice(b"abc\n");
            file.end_datagram().unwrap();
        }
        assert_eq!(file.written(), 0);
        file.flush().unwrap();
        assert_eq!(file.written(), 3);
        assert_eq!(file.file.metadata().unwrap().len(), 12);
    }

    #[test]
    fn a_large_unit_is_written_without_a_flush() {
        let mut file = UnitFile::new(tempfile::tempfile().unwrap());
        file.unit().resize(BUFFER_BYTES, b'x');
        file.end_datagram().unwrap();
        assert_eq!(file.written(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_that_is_full_takes_nothing() {
        let mut file = UnitFile::new(File::options().write(true).open("/dev/full").unwrap());
        file.unit().extend_from_slice(b"abc\n");
        file.end_datagram().unwrap();
        assert_eq!(file.flush().unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(file.written(), 0);
    }
}
