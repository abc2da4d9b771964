//! A layer: the client-level table in front of a provider's.

// UNSAFETY: reads the table of the provider below.
#![expect(unsafe_code, reason = "tables are given by address")]

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use skua_engine::abi::wsk::{WSK_CLIENT, WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_REGISTRATION};

use super::packet::Packet;
use super::{LayeredSocket, Middleware, table};
use crate::HostKernel;
use crate::kernel::lock::hold;
use crate::verifier::Watch;

/// A provider in front of a provider, for one client.
///
/// What is captured of a [`HostKernel`](crate::HostKernel) has one in front of it where
/// [`ProviderConfig::middleware`](crate::ProviderConfig::middleware) asks for it. Another can be put before any NPI.
///
/// Clones are the same layer.
#[derive(Clone)]
pub struct Layer(Arc<Shared>);

/// How many closed sockets one layer keeps.
const KEPT: usize = 1024;

/// What the layer's client, sockets and packets share. The layer's WSK_CLIENT points here.
pub(super) struct Shared {
    pub(super) kernel: HostKernel,
    pub(super) middleware: Vec<Arc<dyn Middleware>>,
    /// The NPI of the provider below.
    pub(super) lower: WSK_PROVIDER_NPI,
    dispatch: WSK_PROVIDER_DISPATCH,
    /// Packets that the client has not got back.
    packets: Mutex<usize>,
    idle: Condvar,
    /// A call with a packet has returned.
    returned: Condvar,
    /// Sockets that remain in memory after their close, the last [`KEPT`] of them.
    kept: Mutex<VecDeque<Arc<LayeredSocket>>>,
}

// SAFETY: a provider's NPI can be used from any thread.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Layer {
    /// A layer in front of `lower`, whose packets are made and completed by `kernel`.
    ///
    /// # Safety
    /// `lower` was captured, and is used through this layer only from now on, as long as a clone of it or a socket made
    /// through it is used.
    #[must_use]
    pub unsafe fn over(
        kernel: &HostKernel,
        lower: WSK_PROVIDER_NPI,
        middleware: Vec<Arc<dyn Middleware>>,
    ) -> Self {
        // SAFETY: the caller promises a captured NPI, whose table is constant.
        let version = unsafe { (*lower.Dispatch).Version };
        Self(Arc::new(Shared {
            kernel: kernel.own(),
            middleware,
            lower,
            dispatch: WSK_PROVIDER_DISPATCH { Version: version, ..table::PROVIDER },
            packets: Mutex::new(0),
            idle: Condvar::new(),
            returned: Condvar::new(),
            kept: Mutex::default(),
        }))
    }

    /// What clients use. Valid as long as a clone of the layer is there.
    #[must_use]
    pub fn npi(&self) -> WSK_PROVIDER_NPI {
        let client: *mut WSK_CLIENT = Arc::as_ptr(&self.0).cast_mut().cast();
        WSK_PROVIDER_NPI { Client: client, Dispatch: &raw const self.0.dispatch }
    }

    /// Waits until every packet that was handed to the layer is completed: what the layer adds to what WskDeregister of the
    /// provider below waits for.
    pub fn run_down(&self) {
        self.wait();
        self.forget();
    }

    fn wait(&self) {
        let mut packets = hold(&self.0.packets);
        while *packets > 0 {
            packets = self.0.idle.wait(packets).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets go of the sockets that were kept, which hold the layer.
    fn forget(&self) {
        let kept = std::mem::take(&mut *hold(&self.0.kept));
        drop(kept);
    }
}

impl Shared {
    /// The layer behind its client.
    ///
    /// # Safety
    /// `client` is of a layer that is in use.
    pub(super) unsafe fn of(client: *mut WSK_CLIENT) -> Arc<Self> {
        let shared = client.cast::<Self>().cast_const();
        // SAFETY: whoever uses the layer holds a reference.
        unsafe { Arc::increment_strong_count(shared) };
        // SAFETY: the reference just taken.
        unsafe { Arc::from_raw(shared) }
    }

    pub(super) fn keeps_closed_sockets(&self) -> bool {
        self.middleware.iter().any(|middleware| middleware.keeps_closed_sockets())
    }

    /// Keeps a closed socket in memory until the layer's end, or until [`KEPT`] others were closed after it.
    pub(super) fn keep(&self, socket: Arc<LayeredSocket>) {
        let mut kept = hold(&self.kept);
        kept.push_back(socket);
        let oldest = if kept.len() > KEPT { kept.pop_front() } else { None };
        drop(kept);
        drop(oldest);
    }

    pub(super) fn packet_taken(&self) {
        *hold(&self.packets) += 1;
    }

    /// The call that brought `packet` is about to return to the client.
    pub(super) fn call_returns(&self, packet: Option<&Arc<Packet>>) {
        if let Some(packet) = packet {
            let _packets = hold(&self.packets);
            packet.has_returned.store(true, Ordering::SeqCst);
            self.returned.notify_all();
        }
    }

    /// Waits until [`Shared::call_returns`] was called for `packet`.
    pub(super) fn wait_for_return(&self, packet: &Packet) {
        let mut packets = hold(&self.packets);
        while !packet.has_returned.load(Ordering::SeqCst) {
            packets = self.returned.wait(packets).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn packet_returned(&self) {
        let mut packets = hold(&self.packets);
        *packets -= 1;
        if *packets == 0 {
            self.idle.notify_all();
        }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("middleware", &self.0.middleware)
            .field("packets", &*hold(&self.0.packets))
            .finish_non_exhaustive()
    }
}

/// The layers of one kernel, by the address of the registration that captured.
#[derive(Default)]
pub(crate) struct Layers {
    live: Mutex<HashMap<usize, Layer>>,
    /// Those of clients that have deregistered, in a verified kernel, where a use after that is to be seen.
    retired: Mutex<Vec<Layer>>,
}

impl Layers {
    /// Puts `middleware`, if any, in front of what a capture handed out.
    ///
    /// # Safety
    /// `registration` has just captured `npi`, which is readable and writable.
    pub(crate) unsafe fn interpose(
        &self,
        kernel: &HostKernel,
        registration: *mut WSK_REGISTRATION,
        npi: *mut WSK_PROVIDER_NPI,
    ) {
        let mut middleware = kernel.provider().middleware.clone();
        if kernel.is_verified() {
            // What the client does, and what it is given, is seen by nobody before.
            middleware.insert(0, Arc::new(Watch));
        }
        if middleware.is_empty() {
            return;
        }
        // SAFETY: the caller's promise.
        let lower = unsafe { npi.read() };
        let mut layers = hold(&self.live);
        let layer = layers.entry(registration.addr()).or_insert_with(|| {
            // SAFETY: captured; the client gets the layer's NPI only.
            unsafe { Layer::over(kernel, lower, middleware) }
        });
        // SAFETY: the caller's promise.
        unsafe { npi.write(layer.npi()) };
    }

    /// The provider below has deregistered the client.
    pub(crate) fn deregistered(&self, kernel: &HostKernel, registration: *mut WSK_REGISTRATION) {
        let Some(layer) = hold(&self.live).remove(&registration.addr()) else { return };
        if kernel.is_verified() {
            layer.wait();
            hold(&self.retired).push(layer);
        } else {
            layer.run_down();
        }
    }

    /// Nobody is left to use what has retired.
    pub(crate) fn forget_retired(&self) {
        let retired = std::mem::take(&mut *hold(&self.retired));
        retired.iter().for_each(Layer::forget);
    }
}
