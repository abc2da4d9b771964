//! A link to a driver in this process.

// UNSAFETY: opens rings over sections that it holds.
#![expect(unsafe_code, reason = "sections are reached by address")]

use std::io;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use skua_engine::abi::status::STATUS_CANCELLED;
use skua_protocol::{ControlCode, ReaderAttached, Region, section_name};

use crate::driver::link::{Link, Refusal};
use crate::host::OpenSection;
use crate::program::Program;
use crate::rig::Rig;
use crate::shared::{AttachError, MappedReader};

/// How often a wait looks whether it is interrupted.
const SLICE: Duration = Duration::from_millis(1);

/// A program that has the device open.
pub(super) struct HostLink {
    program: Program,
    interrupted: Mutex<bool>,
    changed: Condvar,
    maps: bool,
}

impl HostLink {
    pub(super) fn open(rig: &Rig) -> Self {
        Self { program: rig.open(), interrupted: Mutex::new(false), changed: Condvar::new(), maps: true }
    }

    /// One whose system gives it no mappings.
    pub(super) fn without_mappings(rig: &Rig) -> Self {
        Self { maps: false, ..Self::open(rig) }
    }

    /// Whether there was an interruption, which is used up. Waits for one for a slice.
    fn is_interrupted(&self) -> bool {
        let interrupted = self.interrupted.lock().unwrap();
        let (mut interrupted, _) =
            self.changed.wait_timeout_while(interrupted, SLICE, |interrupted| !*interrupted).unwrap();
        std::mem::take(&mut *interrupted)
    }
}

impl Link for HostLink {
    fn ask(&self, code: ControlCode, input: &[u8], output: &mut [u8]) -> Result<usize, Refusal> {
        let (status, answer) = self.program.control(code as u32, input, output.len());
        if !status.is_success() {
            return Err(Refusal(status));
        }
        output[..answer.len()].copy_from_slice(&answer);
        Ok(answer.len())
    }

    fn wait(&self, code: ControlCode, input: &[u8], span: Duration) -> Result<(), Refusal> {
        let end = Instant::now() + span;
        let pending = self.program.begin(code as u32, input, 0);
        let mut cancelled = false;
        while !pending.is_done(Duration::ZERO) {
            if !cancelled && (self.is_interrupted() || Instant::now() >= end) {
                cancelled = true;
                pending.cancel();
            }
        }
        match pending.wait().0 {
            STATUS_CANCELLED if cancelled => Ok(()),
            status if status.is_success() => Ok(()),
            status => Err(Refusal(status)),
        }
    }

    fn interrupt(&self) {
        *self.interrupted.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn map(&self, attached: &ReaderAttached, ring: u16) -> Result<MappedReader, AttachError> {
        let open = |region| {
            let name = section_name(&attached.sections, ring, region);
            let path: Vec<u16> = r"\BaseNamedObjects\".encode_utf16().chain(name).collect();
            OpenSection::open(&path).filter(|_| self.maps).ok_or(io::Error::from(io::ErrorKind::NotFound))
        };
        let (data, cursor) = (open(Region::Data)?, open(Region::Cursor)?);
        let places = ((data.address(), data.bytes()), (cursor.address(), cursor.bytes()));
        // SAFETY: both sections are the reader's; the driver lets one program read.
        Ok(unsafe { MappedReader::open(places.0, places.1, Box::new((data, cursor))) }?)
    }
}
