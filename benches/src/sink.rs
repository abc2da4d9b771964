//! The built-in sink behind the engine, and both kinds of readers of its ring.

// UNSAFETY: opens readers over mapped memory.
#![expect(unsafe_code, reason = "a reader is opened over mapped memory")]

use std::hint::black_box;
use std::ptr::NonNull;

use skua_engine::{Sink, SinkConfig, Wake};
use skua_hosted::HostKernel;
use skua_pools::{Attach, Consumer, SharedMemory};
use skua_record::{CURSOR_BYTES, RingHeader, RingReader};

use crate::memory::SystemMemory;
use crate::receiver::Receiver;
use crate::setting::Setting;

/// Bytes of data in the sink's ring: 1 MiB.
pub const RING_BYTES: usize = 1 << 20;

/// A reader that never sleeps needs no waking.
pub struct NoWake;

impl Wake for NoWake {
    fn wake(&self, _shard: u32) {}
}

/// The built-in sink over memory of this process.
pub type LocalSink = Sink<HostKernel, SystemMemory, NoWake>;

/// Something that reads the sink's ring.
pub trait RingEnd: Sized {
    /// Begins to read.
    ///
    /// # Panics
    /// For a ring that was just made, never.
    ///
    /// # Safety
    /// The regions are a sink's; they outlive this value, which is their only reader.
    unsafe fn open(data: NonNull<u8>, data_bytes: usize, cursor: NonNull<u8>) -> Self;

    /// Gives back the room of what was published.
    fn drain(&mut self);
}

/// Looks at the header and the last byte of each record.
impl RingEnd for RingReader {
    unsafe fn open(data: NonNull<u8>, data_bytes: usize, cursor: NonNull<u8>) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::open(data, data_bytes, cursor, CURSOR_BYTES) }.expect("a ring of this version")
    }

    #[inline]
    fn drain(&mut self) {
        let mut total = 0;
        let progress = self.read(u64::MAX, |record, number| {
            let last = record.payload().last().copied().unwrap_or_default();
            total += number + record.header().time + u64::from(last);
        });
        black_box(progress.expect("a whole ring"));
        black_box(total);
    }
}

/// Looks at nothing, so that the writer is all there is.
impl RingEnd for Consumer {
    unsafe fn open(data: NonNull<u8>, data_bytes: usize, cursor: NonNull<u8>) -> Self {
        // SAFETY: a sink's data region begins with a page that has the head.
        let head = unsafe { data.add(RingHeader::HEAD_OFFSET) }.cast();
        // SAFETY: as above.
        let first = unsafe { data.add(RingHeader::PAGE_BYTES) };
        let bytes = data_bytes - RingHeader::PAGE_BYTES;
        // SAFETY: the caller's promise.
        let consumer = unsafe { Self::from_raw(head, cursor.cast(), first, bytes, Attach::Cursor) };
        consumer.expect("a new ring")
    }

    #[inline]
    fn drain(&mut self) {
        black_box(self.skip().expect("a whole ring"));
        self.release();
    }
}

/// An engine whose handler is the sink, and the end of its ring.
pub struct SinkReceiver<E> {
    // Dropped before the receiver, whose sink owns the memory that it reads.
    end: E,
    receiver: Receiver<LocalSink>,
}

impl<E: RingEnd> SinkReceiver<E> {
    /// Opens everything, as `setting` wants it.
    ///
    /// # Panics
    /// Where memory is exhausted.
    #[must_use]
    pub fn open(setting: Setting) -> Self {
        let config = SinkConfig {
            ring_bytes: RING_BYTES,
            snap_length: 1472,
            watermark: RING_BYTES as u64 / 2,
            host_id: [1; 16],
            boot_id: [2; 16],
        };
        let receiver = Receiver::open(setting, |kernel| {
            Sink::open(kernel, &SystemMemory, NoWake, config, 1).expect("memory for a ring")
        });
        let mapping = receiver.handler().mapping(0).expect("the ring of the only processor");
        let (data, cursor) = (SystemMemory::data(mapping), SystemMemory::cursor(mapping));
        // SAFETY: the regions live as long as the receiver, and are read by this value alone.
        let end = unsafe { E::open(data, config.data_region_bytes(), cursor) };
        Self { end, receiver }
    }

    /// The engine, and the end of its ring.
    pub fn parts(&mut self) -> (&Receiver<LocalSink>, &mut E) {
        (&self.receiver, &mut self.end)
    }
}
