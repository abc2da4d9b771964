//! The way to the driver: one request at a time, a wait that can be ended, and the rings.

use std::fmt;
use std::io;
use std::time::Duration;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_END_OF_FILE, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_REVISION_MISMATCH, STATUS_SHARING_VIOLATION,
    STATUS_SHUTDOWN_IN_PROGRESS,
};
use skua_protocol::{ControlCode, ReaderAttached};

use crate::shared::{AttachError, MappedReader};

/// An open device. The driver knows readers by it: whoever attaches, waits and reads does so through the same one.
pub(crate) trait Link: Send + Sync {
    /// Sends a request and waits for its answer. Returns how many bytes of `output` were set.
    ///
    /// # Errors
    /// The driver's, or the system's.
    fn ask(&self, code: ControlCode, input: &[u8], output: &mut [u8]) -> Result<usize, Refusal>;

    /// Sends a request that the driver keeps until something happens, and waits for that, but not longer than `span` nor
    /// beyond [`Link::interrupt`]. One thread at a time.
    ///
    /// # Errors
    /// As [`Link::ask`].
    fn wait(&self, code: ControlCode, input: &[u8], span: Duration) -> Result<(), Refusal>;

    /// Ends the wait of another thread, or its next one.
    fn interrupt(&self);

    /// Maps one ring.
    ///
    /// # Errors
    /// [`AttachError`].
    fn map(&self, attached: &ReaderAttached, ring: u16) -> Result<MappedReader, AttachError>;
}

/// Why a request was not served: NT's word for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refusal(pub(crate) NTSTATUS);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            STATUS_NOT_FOUND => "there is no such sink",
            STATUS_SHARING_VIOLATION => "another program reads the sink; end that one first",
            STATUS_SHUTDOWN_IN_PROGRESS => "the driver is being stopped; `skua driver start` starts it again",
            STATUS_END_OF_FILE => "the sink was stopped by another program",
            STATUS_REVISION_MISMATCH => {
                "driver and program are of different versions; install both of one version"
            }
            STATUS_INVALID_PARAMETER => {
                "the settings do not go together, or there are more than the sink has room for"
            }
            STATUS_INSUFFICIENT_RESOURCES => "there is no memory for it; ask for less",
            STATUS_INVALID_DEVICE_STATE => {
                "the place where the reader before left off cannot be; stop the sink and start it again"
            }
            // Win32's own, in NT's clothes: NTSTATUS_FROM_WIN32.
            status if status.to_bits() >> 16 == 0xC007 => {
                let code = i32::from(u16::try_from(status.to_bits() & 0xffff).unwrap_or(0));
                return write!(f, "{}", io::Error::from_raw_os_error(code));
            }
            status => return write!(f, "{status}"),
        })
    }
}
