//! The engine as a driver in C has it: opened, and handled, through the functions of `skua.h`.

// UNSAFETY: calls functions in C, and the receive event, whose contract is WSK's.
#![expect(unsafe_code, reason = "what is measured are functions in C")]

use std::ffi::c_void;
use std::hint::black_box;
use std::mem::{MaybeUninit, zeroed};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ptr::{null_mut, read_unaligned};
use std::sync::Arc;

use skua_capi::{
    SKUA_BATCH, SKUA_DATAGRAM, SKUA_ENDPOINT, SKUA_ENGINE, SKUA_ENGINE_CONFIG, SKUA_IPV4, SKUA_KERNEL,
    SKUA_SOCKET, SKUA_SOCKET_CONFIG, SkuaBatchMemory, SkuaClose, SkuaGatherDatagram, SkuaNextDatagram,
    SkuaOpen, SkuaOpenSocket,
};
use skua_engine::Dispatch;
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::WSK_FLAG_AT_DISPATCH_LEVEL;
use skua_hosted::{HostConfig, HostKernel, Injected};

use crate::indications::{Indications, READ};
use crate::tap::{ReceiveEvent, Tap};

/// [`READ`], as C counts.
const ROOM: u32 = 16;
const _: () = assert!(READ == ROOM as usize);

/// What the handler in C does with each datagram: the same sum as [`ReadFirst`](crate::ReadFirst).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Copies the first bytes out by SkuaCopyDatagram, and adds them up.
    Copied,
    /// Reads them where they are, in the datagram's first piece.
    InPlace,
}

/// An engine through its functions in C, on a kernel of one processor, and one socket of it on the in-memory loopback.
pub struct CReceiver {
    event: ReceiveEvent,
    tap: Arc<Tap>,
    engine: Box<SKUA_ENGINE>,
    kernel: Box<HostKernel>,
    local: SocketAddr,
}

/// The functions that a handler in C calls. Their addresses are read at run time, so that they are called, as a compiler of C calls
/// what is in a library.
#[derive(Clone, Copy)]
struct Functions {
    next: unsafe extern "C" fn(*mut SKUA_BATCH) -> *mut SKUA_DATAGRAM,
    gather: unsafe extern "C" fn(*const SKUA_DATAGRAM, u32, *mut c_void, u32) -> u32,
    memory: unsafe extern "C" fn(*mut SKUA_BATCH) -> *mut c_void,
}

static FUNCTIONS: Functions =
    Functions { next: SkuaNextDatagram, gather: SkuaGatherDatagram, memory: SkuaBatchMemory };

fn add(mut total: u64, bytes: &[u8; READ]) -> u64 {
    for word in bytes.as_chunks().0 {
        total = total.wrapping_add(u64::from_ne_bytes(*word));
    }
    total
}

/// What SkuaCopyDatagram of skua.h is: a function of the header's, which a handler has inside.
///
/// # Safety
/// `datagram` is the batch's, and there are [`READ`] bytes at `to`.
#[inline(always)]
unsafe fn copy(functions: &Functions, datagram: *const SKUA_DATAGRAM, to: *mut [u8; READ]) -> u32 {
    // SAFETY: the caller's promise.
    if ROOM > unsafe { (*datagram).FirstBytes } {
        // SAFETY: the caller's promise.
        return unsafe { (functions.gather)(datagram, 0, to.cast(), ROOM) };
    }
    // SAFETY: the caller's promise.
    let first = unsafe { (*datagram).First };
    // SAFETY: there are as many bytes, and nobody writes there.
    let bytes = unsafe { read_unaligned(first.cast()) };
    // SAFETY: the caller's promise.
    unsafe { to.write(bytes) };
    ROOM
}

unsafe extern "C" fn copied(_context: *mut c_void, batch: *mut SKUA_BATCH) {
    let functions = *black_box(&FUNCTIONS);
    // SAFETY: the batch of this call.
    let total = unsafe { (functions.memory)(batch) }.cast::<u64>();
    // SAFETY: this processor's memory.
    let mut sum = unsafe { total.read() };
    loop {
        // SAFETY: as above.
        let datagram = unsafe { (functions.next)(batch) };
        if datagram.is_null() {
            break;
        }
        let mut bytes = MaybeUninit::<[u8; READ]>::uninit();
        // SAFETY: the batch's datagram, and as much room.
        if unsafe { copy(&functions, datagram, bytes.as_mut_ptr()) } == ROOM {
            // SAFETY: all of them were copied.
            sum = add(sum, unsafe { bytes.assume_init_ref() });
        }
    }
    // SAFETY: as above.
    unsafe { total.write(sum) };
}

unsafe extern "C" fn in_place(_context: *mut c_void, batch: *mut SKUA_BATCH) {
    let functions = *black_box(&FUNCTIONS);
    // SAFETY: the batch of this call.
    let total = unsafe { (functions.memory)(batch) }.cast::<u64>();
    // SAFETY: this processor's memory.
    let mut sum = unsafe { total.read() };
    loop {
        // SAFETY: as above.
        let datagram = unsafe { (functions.next)(batch) };
        if datagram.is_null() {
            break;
        }
        // SAFETY: the batch's datagram.
        if ROOM <= unsafe { (*datagram).FirstBytes } {
            // SAFETY: as above.
            let first = unsafe { (*datagram).First };
            // SAFETY: there are as many bytes, and nobody writes there.
            sum = add(sum, &unsafe { read_unaligned(first.cast()) });
        }
    }
    // SAFETY: as above.
    unsafe { total.write(sum) };
}

impl CReceiver {
    /// Opens everything.
    ///
    /// # Panics
    /// Where memory is exhausted.
    #[must_use]
    pub fn open(reading: Reading) -> Self {
        let mut host = HostConfig::loopback(1).unverified();
        let tap = Arc::new(Tap::default());
        host.provider.middleware.push(tap.clone());
        let kernel = Box::new(HostKernel::new(host));
        // SAFETY: the box outlives the engine.
        let table = unsafe { SKUA_KERNEL::at(&raw const *kernel) };
        // SAFETY: zeros are a configuration.
        let mut config: SKUA_ENGINE_CONFIG = unsafe { zeroed() };
        config.Size = u32::try_from(size_of::<SKUA_ENGINE_CONFIG>()).expect("a few hundred bytes");
        config.Kernel = &raw const table;
        config.Receive = Some(if reading == Reading::Copied { copied } else { in_place });
        config.HandlerBytes = 8;
        let mut engine = Box::new(SKUA_ENGINE { Reserved: [0; 4] });
        // SAFETY: zeroed memory, and a configuration.
        let opened = unsafe { SkuaOpen(&raw mut *engine, &raw const config) };
        assert_eq!(opened, STATUS_SUCCESS, "an engine");
        // SAFETY: zeros are a configuration.
        let mut bind: SKUA_SOCKET_CONFIG = unsafe { zeroed() };
        bind.Size = u32::try_from(size_of::<SKUA_SOCKET_CONFIG>()).expect("a few hundred bytes");
        bind.Local = SKUA_ENDPOINT { Family: SKUA_IPV4, Port: 9, ..SKUA_ENDPOINT::default() };
        bind.Local.Address[..4].copy_from_slice(&[127, 0, 0, 1]);
        let mut socket = SKUA_SOCKET::default();
        // SAFETY: an engine, a configuration, and room for the number.
        let bound = unsafe { SkuaOpenSocket(&raw mut *engine, &raw const bind, &raw mut socket) };
        assert_eq!(bound, STATUS_SUCCESS, "a socket");
        let event = tap.take_event().expect("the event of the socket that was just created");
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        Self { event, tap, engine, kernel, local }
    }

    /// A list of `count` datagrams of `bytes` bytes, each from an address of its own.
    ///
    /// # Panics
    /// For fewer than [`READ`] bytes.
    #[must_use]
    pub fn list(&self, count: u8, bytes: usize) -> Indications {
        assert!(bytes >= READ);
        let from = |nth| SocketAddr::new(IpAddr::from([10, 1, 0, nth]), 40_000);
        let datagrams: Vec<_> = (0..count).map(|nth| Injected::new(from(nth), vec![nth; bytes])).collect();
        let prepared = self.kernel.prepare(&self.local, &datagrams).expect("a bound socket");
        let _ = prepared.indicate(0);
        let first = self.tap.take_list().expect("the list that was just indicated");
        Indications { first, _prepared: prepared }
    }

    /// Calls the engine's receive event with `list`, `times` times, at DISPATCH_LEVEL.
    ///
    /// # Panics
    /// When the engine does not give the list back at once.
    pub fn indicate(&self, list: &Indications, times: u64) {
        let ReceiveEvent { context, callback } = self.event;
        Dispatch::with(&*self.kernel, |_| {
            for _ in 0..times {
                let list = black_box(list);
                // SAFETY: the socket is open, the list whole, and the thread at DISPATCH_LEVEL.
                let status = unsafe { callback(context, WSK_FLAG_AT_DISPATCH_LEVEL, list.first.as_ptr()) };
                assert!(status == STATUS_SUCCESS, "the handler retained something: {status}");
            }
        });
    }
}

impl Drop for CReceiver {
    fn drop(&mut self) {
        // SAFETY: an engine, with nothing retained; what is outstanding need not be known.
        let _closed = unsafe { SkuaClose(&raw mut *self.engine, 10_000, null_mut()) };
    }
}
