//! An engine on a kernel of its own, and a handler that does what it is told.

use std::ffi::c_void;
use std::net::UdpSocket;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use skua_capi::*;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_hosted::{HostConfig, HostKernel};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The same, in milliseconds.
pub(crate) const PATIENCE_MS: u32 = 20_000;

/// What the handler does.
pub(crate) const CONSUME: u32 = 0;
pub(crate) const DROP: u32 = 1;
pub(crate) const RETAIN: u32 = 2;

/// What the handler is told, and what it saw.
#[derive(Default)]
pub(crate) struct Handler {
    pub(crate) action: AtomicU32,
    pub(crate) payloads: Mutex<Vec<Vec<u8>>>,
    pub(crate) kept: Mutex<Vec<SKUA_RETAINED>>,
}

impl Handler {
    pub(crate) fn told(action: u32) -> Self {
        Self { action: AtomicU32::new(action), ..Self::default() }
    }
}

unsafe extern "C" fn receive(context: *mut c_void, batch: *mut SKUA_BATCH) {
    // SAFETY: the handler of a fixture, which outlives its engine.
    let handler = unsafe { &*context.cast::<Handler>() };
    loop {
        // SAFETY: the batch of this call.
        let datagram = unsafe { SkuaNextDatagram(batch) };
        if datagram.is_null() {
            return;
        }
        // SAFETY: the batch's datagram.
        let mut bytes = vec![0; unsafe { SkuaDatagramLength(datagram) } as usize];
        let room = u32::try_from(bytes.len()).unwrap();
        // SAFETY: the vector has as many bytes.
        assert_eq!(unsafe { SkuaGatherDatagram(datagram, 0, bytes.as_mut_ptr().cast(), room) }, room);
        handler.payloads.lock().unwrap().push(bytes);
        match handler.action.load(Ordering::Relaxed) {
            DROP => {
                // SAFETY: the batch's datagram.
                assert_eq!(unsafe { SkuaDrop(datagram, SKUA_DROP_HANDLER) }, STATUS_SUCCESS);
            }
            RETAIN => {
                let mut kept = SKUA_RETAINED::default();
                // SAFETY: the batch's datagram.
                if unsafe { SkuaRetain(datagram, &raw mut kept) }.is_success() {
                    handler.kept.lock().unwrap().push(kept);
                }
            }
            _ => {}
        }
    }
}

/// An engine.
pub(crate) struct Fixture {
    pub(crate) kernel: Box<HostKernel>,
    pub(crate) handler: Box<Handler>,
    pub(crate) engine: Box<SKUA_ENGINE>,
}

// SAFETY: the functions of an engine may be called on any thread.
unsafe impl Sync for Fixture {}

impl Fixture {
    pub(crate) fn open(handler: Handler, change: impl FnOnce(&mut SKUA_ENGINE_CONFIG)) -> Self {
        let kernel = Box::new(HostKernel::new(HostConfig::default()));
        // SAFETY: the box outlives the engine.
        let table = unsafe { SKUA_KERNEL::at(&raw const *kernel) };
        let fixture =
            Self { kernel, handler: Box::new(handler), engine: Box::new(SKUA_ENGINE { Reserved: [0; 4] }) };
        let mut config = config(&table, &fixture.handler);
        change(&mut config);
        // SAFETY: zeroed memory, and a configuration whose table lives for the call.
        assert_eq!(unsafe { SkuaOpen(fixture.engine(), &raw const config) }, STATUS_SUCCESS);
        fixture
    }

    pub(crate) fn engine(&self) -> *mut SKUA_ENGINE {
        (&raw const *self.engine).cast_mut()
    }

    /// A socket on 127.0.0.1, and a peer connected to it.
    pub(crate) fn socket(&self) -> (SKUA_SOCKET, UdpSocket) {
        let mut local = SKUA_ENDPOINT { Family: SKUA_IPV4, ..SKUA_ENDPOINT::default() };
        local.Address[..4].copy_from_slice(&[127, 0, 0, 1]);
        // SAFETY: zeros are a configuration.
        let mut config: SKUA_SOCKET_CONFIG = unsafe { std::mem::zeroed() };
        config.Size = size::<SKUA_SOCKET_CONFIG>();
        config.Local = local;
        let mut socket = SKUA_SOCKET::default();
        // SAFETY: an engine, a configuration, and room for the number.
        let opened = unsafe { SkuaOpenSocket(self.engine(), &raw const config, &raw mut socket) };
        assert_eq!(opened, STATUS_SUCCESS);
        let bytes = size::<SKUA_SOCKET_STATE>();
        let mut state = SKUA_SOCKET_STATE { Size: bytes, ..SKUA_SOCKET_STATE::default() };
        // SAFETY: as above.
        assert_eq!(unsafe { SkuaQuerySocket(self.engine(), socket, &raw mut state) }, STATUS_SUCCESS);
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer.connect(("127.0.0.1", state.Local.Port)).unwrap();
        (socket, peer)
    }

    pub(crate) fn statistics(&self) -> SKUA_STATISTICS {
        let bytes = size::<SKUA_STATISTICS>();
        let mut statistics = SKUA_STATISTICS { Size: bytes, ..SKUA_STATISTICS::default() };
        // SAFETY: an engine, and a structure of its size.
        assert_eq!(unsafe { SkuaQueryStatistics(self.engine(), &raw mut statistics) }, STATUS_SUCCESS);
        statistics
    }

    pub(crate) fn until(&self, mut holds: impl FnMut(&SKUA_STATISTICS) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.statistics()) {
            assert!(Instant::now() < end, "{:?}", self.statistics());
            std::thread::yield_now();
        }
    }

    pub(crate) fn release(&self, retained: SKUA_RETAINED) -> NTSTATUS {
        // SAFETY: an engine.
        unsafe { SkuaRelease(self.engine(), retained) }
    }

    /// Closes the engine; everything was given back.
    pub(crate) fn close(self) {
        // SAFETY: an engine; what is outstanding need not be known.
        assert_eq!(unsafe { SkuaClose(self.engine(), PATIENCE_MS, std::ptr::null_mut()) }, STATUS_SUCCESS);
        assert_eq!(self.kernel.memory_in_use(), 0);
        assert_eq!(self.kernel.outstanding().captures, 0);
    }
}

/// The size of a structure, as it says it itself.
pub(crate) fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap()
}

pub(crate) fn config(table: &SKUA_KERNEL, handler: &Handler) -> SKUA_ENGINE_CONFIG {
    // SAFETY: zeros are a configuration.
    let mut config: SKUA_ENGINE_CONFIG = unsafe { std::mem::zeroed() };
    config.Size = size::<SKUA_ENGINE_CONFIG>();
    config.Kernel = table;
    config.Receive = Some(receive);
    config.Context = std::ptr::from_ref(handler).cast_mut().cast();
    config.PoolTag = u32::from_le_bytes(*b"Test");
    config.SendSlots = 16;
    config
}
