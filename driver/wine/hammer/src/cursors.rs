//! A reader that writes nonsense into its cursors.

// UNSAFETY: maps the sections and writes to them.
#![expect(unsafe_code, reason = "mapping memory is a system call on addresses")]

use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use bytemuck::{bytes_of, pod_read_unaligned};
use fastrand::Rng;
use skua_protocol::{ControlCode, ReaderAttached, Region, SinkRequest, section_name};
use windows_sys::Win32::System::Memory::{
    FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, OpenFileMappingW,
    UnmapViewOfFile,
};

use crate::device::{Device, Rights};

/// Attaches to `sink` and writes for `span`.
pub(crate) fn run(sink: u64, span: Duration, seed: u64) -> Result<()> {
    let device = Device::open(Rights::Both).map_err(|error| anyhow!("no device: Windows' error {error}"))?;
    let request = SinkRequest::new(sink);
    let answer = device.ask(ControlCode::AttachReader, bytes_of(&request), size_of::<ReaderAttached>())?;
    ensure!(answer.len() == size_of::<ReaderAttached>(), "an answer of {} bytes", answer.len());
    let attached: ReaderAttached = pod_read_unaligned(&answer);
    let bytes = usize::try_from(attached.cursor_bytes)?;
    let mut cursors = Vec::new();
    for ring in 0..u16::try_from(attached.rings)? {
        let data = section_name(&attached.sections, ring, Region::Data);
        ensure!(
            View::open(&data, usize::try_from(attached.data_bytes)?).is_err(),
            "ring {ring}'s data can be mapped for writing"
        );
        let cursor = section_name(&attached.sections, ring, Region::Cursor);
        cursors.push(View::open(&cursor, bytes).context("a cursor cannot be mapped")?);
    }
    let mut rng = Rng::with_seed(seed);
    let start = Instant::now();
    let mut written = 0_u64;
    while start.elapsed() < span {
        for cursor in &cursors {
            for word in cursor.words() {
                // Everything, something near the truth, or something far from it.
                let value = match rng.u8(..4) {
                    0 => word.load(Ordering::Relaxed).wrapping_add(rng.u64(..1 << 22)),
                    1 => word.load(Ordering::Relaxed).wrapping_sub(rng.u64(..1 << 22)),
                    2 => rng.u64(..1 << 32),
                    _ => rng.u64(..),
                };
                word.store(value, Ordering::Release);
                written += 1;
            }
        }
        // Waits are decided by what was written.
        let _ended = device.request(ControlCode::WaitRecords as u32, bytes_of(&request), &mut [])?;
    }
    println!("{written} words written into {} cursors", cursors.len());
    Ok(())
}

/// A section mapped for writing.
///
/// # Invariants
/// `bytes` at `start`, which lies on a page's border, are mapped and this value's alone to unmap.
struct View {
    start: NonNull<AtomicU64>,
    bytes: usize,
}

impl View {
    fn open(name: &[u16], bytes: usize) -> Result<Self> {
        let name: Vec<u16> = "Global\\".encode_utf16().chain(name.iter().copied()).chain([0]).collect();
        // SAFETY: a string with a zero at its end.
        let section = unsafe { OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, 0, name.as_ptr()) };
        if section.is_null() {
            return Err(std::io::Error::last_os_error().into());
        }
        // SAFETY: just opened, and nobody else's.
        let section = unsafe { OwnedHandle::from_raw_handle(section) };
        // SAFETY: an open section, at an address of the system's choice.
        let view =
            unsafe { MapViewOfFile(section.as_raw_handle(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, bytes) };
        let start = NonNull::new(view.Value.cast()).context("the section cannot be mapped")?;
        Ok(Self { start, bytes })
    }

    /// Its words, from the first to the last.
    fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        let count = self.bytes / size_of::<AtomicU64>();
        // SAFETY: the invariant: so many words are mapped as long as this value lives, and the driver, the only other one
        // to access them, does so atomically.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), count) }.iter()
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.start.as_ptr().cast() };
        // SAFETY: mapped by `open`, unmapped only here. Whether it worked no longer matters.
        unsafe { UnmapViewOfFile(view) };
    }
}
