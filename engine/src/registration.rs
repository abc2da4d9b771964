//! Being a WSK client: registering, capturing the provider, and leaving with nothing behind.

// UNSAFETY: the registration block is the provider's from WskRegister to WskDeregister.
#![expect(unsafe_code, reason = "registration calls on a block that stays at its address")]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use skua_pools::Tag;

use crate::abi::nt::PASSIVE_LEVEL;
use crate::abi::status::{
    NTSTATUS, STATUS_DEVICE_NOT_READY, STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_IMPLEMENTED,
};
use crate::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_EVENT_CALLBACK_CONTROL,
    WSK_EVENT_RECEIVE_FROM, WSK_INFINITE_WAIT, WSK_NO_WAIT, WSK_PROVIDER_CHARACTERISTICS,
    WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_REGISTRATION, WSK_SET_STATIC_EVENT_CALLBACKS,
    WSK_TDI_BEHAVIOR, WSK_TDI_BEHAVIOR_BYPASS_TDI, make_wsk_version,
};
use crate::abi::zeroed;
use crate::anchor::Anchor;
use crate::closing::{ClosingList, Outstanding};
use crate::deadline::Deadline;
use crate::kernel::Kernel;
use crate::processor::Passive;

/// Pool tag of the registration.
const TAG: Tag = Tag::new(b"SkRg");

/// The client-wide settings are still to be made.
const OPEN: u32 = 0;
/// One capture makes them.
const SETTLING: u32 = 1;
/// They are made.
const SETTLED: u32 = 2;

/// The client's dispatch table. It has no event to receive: WSK defines none for clients.
static CLIENT_DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: make_wsk_version(1, 0), Reserved: 0, WskClientEvent: None };

/// How the sockets of a client get their event callbacks. WSK lets a client choose once, before its first socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Events {
    /// On from the bind on, for every socket, and never off (WSK_SET_STATIC_EVENT_CALLBACKS). The receive path of the
    /// provider then takes no lock to find out whether the callback is on.
    #[default]
    Static,
    /// Switched on for each socket after its bind (SO_WSK_EVENT_CALLBACK), for hosts that share one registration with
    /// code that switches events off.
    Dynamic,
}

/// A registered WSK client.
///
/// # Invariants
/// The block it owns stays at its address until [`Registration::close`] has deregistered it; when that cannot be done
/// the block is leaked, because the provider still points at it.
pub struct Registration<K: Kernel> {
    block: Anchor<RegistrationBlock<K>, K>,
}

pub(crate) struct RegistrationBlock<K: Kernel> {
    pub(crate) kernel: K,
    pub(crate) events: Events,
    /// WSK's own; only its address is ours.
    registration: UnsafeCell<WSK_REGISTRATION>,
    /// Captures that owe a release.
    captures: AtomicU32,
    /// Sockets whose WskCloseSocket has not completed.
    pub(crate) sockets: AtomicU32,
    /// How far the client-wide settings are, which must precede the first socket: [`OPEN`] to [`SETTLED`].
    settled: AtomicU32,
    /// Sockets nobody holds a handle of any more.
    pub(crate) closing: ClosingList,
}

// SAFETY: the WSK_REGISTRATION is passed to WSK by address only, which guards it itself.
unsafe impl<K: Kernel> Send for RegistrationBlock<K> {}
// SAFETY: as for Send.
unsafe impl<K: Kernel> Sync for RegistrationBlock<K> {}

/// Why [`Registration::register`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Nonpaged pool is exhausted.
    #[error(
        "no nonpaged memory for the WSK registration (STATUS_INSUFFICIENT_RESOURCES): free memory and try again"
    )]
    OutOfMemory,
    /// WskRegister refused.
    #[error("WskRegister failed with {0}: is the network stack loaded?")]
    Refused(NTSTATUS),
}

impl RegisterError {
    /// The status a driver returns for it.
    pub fn status(self) -> NTSTATUS {
        match self {
            Self::OutOfMemory => STATUS_INSUFFICIENT_RESOURCES,
            Self::Refused(status) => status,
        }
    }
}

/// Why [`Registration::capture`] failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// STATUS_DEVICE_NOT_READY: the provider did not come within the wait, or deregistration has begun. Try again.
    #[error("the WSK provider is not ready ({0}): try again when the network stack is up")]
    NotReady(NTSTATUS),
    /// WskCaptureProviderNPI failed otherwise, or the provider refused the client-wide settings.
    #[error("the WSK provider refused this client with {0}")]
    Refused(NTSTATUS),
}

/// Why [`Registration::close`] did not finish. The registration comes back: try again later.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DeregisterError<K: Kernel> {
    /// Handles of sockets or captures are still held: drop or close them first.
    #[error(
        "{sockets} sockets and {captures} captures of this registration are still held: close them first"
    )]
    InUse {
        /// Sockets that somebody holds a handle of.
        sockets: u32,
        /// Captures that are not released.
        captures: u32,
        /// The registration.
        registration: Registration<K>,
    },
    /// The thread has raised since it took its token.
    #[error("deregistering waits, and the thread is above PASSIVE_LEVEL: call it outside of Dispatch::with")]
    NotPassive {
        /// The registration.
        registration: Registration<K>,
    },
    /// Sockets that were dropped have not finished closing within the deadline.
    #[error("a socket is still closing: {outstanding}")]
    Outstanding {
        /// What one of them waits for.
        outstanding: Outstanding,
        /// The registration.
        registration: Registration<K>,
    },
}

impl CaptureError {
    /// The status a driver returns for it.
    pub fn status(self) -> NTSTATUS {
        match self {
            Self::NotReady(status) | Self::Refused(status) => status,
        }
    }
}

impl<K: Kernel> DeregisterError<K> {
    /// The registration, to try again.
    #[must_use]
    pub fn into_registration(self) -> Registration<K> {
        match self {
            Self::InUse { registration, .. }
            | Self::NotPassive { registration }
            | Self::Outstanding { registration, .. } => registration,
        }
    }
}

impl<K: Kernel> core::fmt::Debug for DeregisterError<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<K: Kernel> Registration<K> {
    /// What [`Registration::register`] asks of memory, in bytes.
    #[must_use]
    pub fn bytes() -> usize {
        Anchor::<RegistrationBlock<K>, K>::bytes()
    }

    /// WskRegister, with version 1.0.
    ///
    /// # Errors
    /// Out of memory, or what WskRegister returned.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn register(kernel: K, events: Events, _passive: &Passive<'_>) -> Result<Self, RegisterError> {
        let block = RegistrationBlock {
            kernel: kernel.clone(),
            events,
            registration: UnsafeCell::new(zeroed()),
            captures: AtomicU32::new(0),
            sockets: AtomicU32::new(0),
            settled: AtomicU32::new(OPEN),
            closing: ClosingList::new(),
        };
        let block = Anchor::new(&kernel, TAG, block).map_err(|_| RegisterError::OutOfMemory)?;
        let mut npi = WSK_CLIENT_NPI { ClientContext: null_mut(), Dispatch: &raw const CLIENT_DISPATCH };
        // SAFETY: the block stays in place until it is deregistered, the dispatch table is static.
        let status = unsafe { kernel.wsk_register(&raw mut npi, block.registration.get()) };
        if !status.is_success() {
            return Err(RegisterError::Refused(status));
        }
        Ok(Self { block })
    }

    /// WskCaptureProviderNPI, waiting at most `wait` (whole milliseconds; a fraction counts as one), and the client-wide
    /// settings before the first socket: static event callbacks if chosen, and no detour through TDI filters, which a
    /// provider may refuse without harm.
    ///
    /// Call it with bounded waits in a loop, from a thread that may wait; never from DriverEntry: the provider may come
    /// up only after it.
    ///
    /// # Errors
    /// [`CaptureError::NotReady`] when the wait was too short.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn capture(&self, wait: Duration, _passive: &Passive<'_>) -> Result<Provider<K>, CaptureError> {
        let mut npi = WSK_PROVIDER_NPI { Client: null_mut(), Dispatch: core::ptr::null() };
        let wait = wait.as_millis() + u128::from(!wait.subsec_nanos().is_multiple_of(1_000_000));
        let wait = u32::try_from(wait).unwrap_or(WSK_INFINITE_WAIT - 1).min(WSK_INFINITE_WAIT - 1);
        let registration = self.block.registration.get();
        // SAFETY: registered by `register`; the release is owed by the `Provider` made next.
        let status = unsafe { self.block.kernel.wsk_capture_provider_npi(registration, wait, &raw mut npi) };
        if status == STATUS_DEVICE_NOT_READY {
            return Err(CaptureError::NotReady(status));
        }
        if !status.is_success() {
            return Err(CaptureError::Refused(status));
        }
        self.block.captures.fetch_add(1, Ordering::Relaxed);
        let provider = Provider { block: self.block.clone(), npi };
        provider.settle()?;
        Ok(provider)
    }

    /// The versions of WSK that the provider has, lowest and highest, each major and minor
    /// (WskQueryProviderCharacteristics).
    ///
    /// # Errors
    /// [`CaptureError::NotReady`] when there is no provider.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn versions(&self) -> Result<[(u8, u8); 2], CaptureError> {
        let mut versions = WSK_PROVIDER_CHARACTERISTICS { HighestVersion: 0, LowestVersion: 0 };
        let registration = self.block.registration.get();
        // SAFETY: registered by `register`; the variable is writable.
        let status =
            unsafe { self.block.kernel.wsk_query_provider_characteristics(registration, &raw mut versions) };
        if status == STATUS_DEVICE_NOT_READY {
            return Err(CaptureError::NotReady(status));
        }
        if !status.is_success() {
            return Err(CaptureError::Refused(status));
        }
        let version = |word: u16| {
            let [major, minor] = word.to_be_bytes();
            (major, minor)
        };
        Ok([version(versions.LowestVersion), version(versions.HighestVersion)])
    }

    /// Waits for sockets that were dropped to finish closing, then WskDeregister, then frees.
    ///
    /// # Errors
    /// Hands the registration back when sockets or captures are held, or have not closed within `deadline`.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn close(self, deadline: Duration, passive: &Passive<'_>) -> Result<(), DeregisterError<K>> {
        if !passive.holds(&self.block.kernel) {
            return Err(DeregisterError::NotPassive { registration: self });
        }
        let deadline = Deadline::after(&self.block.kernel, deadline);
        if let Some(outstanding) = self.block.closing.reap(&self.block.kernel, deadline, passive) {
            return Err(DeregisterError::Outstanding { outstanding, registration: self });
        }
        let sockets = self.block.sockets.load(Ordering::Acquire);
        let captures = self.block.captures.load(Ordering::Acquire);
        if sockets != 0 || captures != 0 {
            return Err(DeregisterError::InUse { sockets, captures, registration: self });
        }
        drop(self);
        Ok(())
    }

    /// Lets sockets that were dropped finish closing, without waiting. What is left, if any. A dropped socket stays bound
    /// until this or [`Registration::close`] has seen to it, so whoever drops sockets calls it now and then.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn reap(&mut self, passive: &Passive<'_>) -> Option<Outstanding> {
        self.block.closing.reap(&self.block.kernel, Deadline::now(&self.block.kernel), passive)
    }
}

impl<K: Kernel> Drop for Registration<K> {
    /// Deregisters if that cannot wait; leaks the block otherwise, because WSK still points at it.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL; above it the block is leaked.
    fn drop(&mut self) {
        let block = &self.block;
        let idle = block.sockets.load(Ordering::Acquire) == 0 && block.captures.load(Ordering::Acquire) == 0;
        if idle && block.kernel.ke_get_current_irql() == PASSIVE_LEVEL {
            // SAFETY: registered by `register`, with no socket and no capture left; deregistered once.
            unsafe { block.kernel.wsk_deregister(block.registration.get()) };
        } else {
            core::mem::forget(self.block.clone());
        }
    }
}

/// The provider's table, captured: sockets are opened through it.
///
/// Dropping it is WskReleaseProviderNPI, at any level up to DISPATCH_LEVEL. Sockets stay usable without it.
pub struct Provider<K: Kernel> {
    pub(crate) block: Anchor<RegistrationBlock<K>, K>,
    npi: WSK_PROVIDER_NPI,
}

// SAFETY: the table is constant and its functions may be called from any thread.
unsafe impl<K: Kernel> Send for Provider<K> {}
// SAFETY: as for Send.
unsafe impl<K: Kernel> Sync for Provider<K> {}

impl<K: Kernel> Provider<K> {
    /// The captured NPI: client handle and table.
    #[must_use]
    pub fn npi(&self) -> WSK_PROVIDER_NPI {
        self.npi
    }

    /// The kernel this client runs on.
    #[must_use]
    pub fn kernel(&self) -> &K {
        &self.block.kernel
    }

    /// As [`Registration::reap`], for who has only a capture.
    pub(crate) fn reap(&self, passive: &Passive<'_>) {
        let kernel = self.kernel();
        let _outstanding = self.block.closing.reap(kernel, Deadline::now(kernel), passive);
    }

    pub(crate) fn dispatch(&self) -> &WSK_PROVIDER_DISPATCH {
        // SAFETY: the provider keeps its table while it is captured.
        unsafe { &*self.npi.Dispatch }
    }

    /// WskControlClient for the codes that complete at once and take no IRP.
    ///
    /// # Safety
    /// `input` and `output` are what `code` takes.
    pub(crate) unsafe fn control(
        &self,
        code: u32,
        (input_bytes, input): (usize, *mut c_void),
        (output_bytes, output): (usize, *mut c_void),
    ) -> NTSTATUS {
        // SAFETY: the caller's promise.
        unsafe { self.control_for(code, (input_bytes, input), (output_bytes, output)) }.0
    }

    /// The same, with the bytes that the answer took or would take.
    ///
    /// # Safety
    /// As for [`Provider::control`].
    pub(crate) unsafe fn control_for(
        &self,
        code: u32,
        (input_bytes, input): (usize, *mut c_void),
        (output_bytes, output): (usize, *mut c_void),
    ) -> (NTSTATUS, usize) {
        let Some(control) = self.dispatch().WskControlClient else {
            return (STATUS_NOT_IMPLEMENTED, 0);
        };
        let client = self.npi.Client;
        let mut returned = 0_usize;
        // SAFETY: the client handle is the captured one, the buffers are the caller's promise.
        let status = unsafe {
            control(client, code, input_bytes, input, output_bytes, output, &raw mut returned, null_mut())
        };
        (status, returned)
    }

    /// One more capture of the same registration, without waiting.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn duplicate(&self) -> Result<Self, NTSTATUS> {
        let mut npi = WSK_PROVIDER_NPI { Client: null_mut(), Dispatch: core::ptr::null() };
        let registration = self.block.registration.get();
        // SAFETY: registered, as this capture shows; the release is owed by the value made next.
        let status =
            unsafe { self.block.kernel.wsk_capture_provider_npi(registration, WSK_NO_WAIT, &raw mut npi) };
        if !status.is_success() {
            return Err(status);
        }
        self.block.captures.fetch_add(1, Ordering::Relaxed);
        Ok(Self { block: self.block.clone(), npi })
    }

    fn settle(&self) -> Result<(), CaptureError> {
        match self.block.settled.compare_exchange(OPEN, SETTLING, Ordering::AcqRel, Ordering::Acquire) {
            Err(SETTLED) => return Ok(()),
            // Another capture is at it: a socket opened now could miss the settings.
            Err(_) => return Err(CaptureError::NotReady(STATUS_DEVICE_NOT_READY)),
            Ok(_) => {}
        }
        let settled = self.apply();
        self.block.settled.store(if settled.is_ok() { SETTLED } else { OPEN }, Ordering::Release);
        settled
    }

    fn apply(&self) -> Result<(), CaptureError> {
        let mut bypass = WSK_TDI_BEHAVIOR_BYPASS_TDI;
        let input = (size_of::<u32>(), (&raw mut bypass).cast());
        // SAFETY: WSK_TDI_BEHAVIOR takes one ULONG. A refusal is harmless: the sockets then pass TDI filters.
        let _refused = unsafe { self.control(WSK_TDI_BEHAVIOR, input, (0, null_mut())) };
        if self.block.events == Events::Dynamic {
            return Ok(());
        }
        let mut events = WSK_EVENT_CALLBACK_CONTROL {
            NpiId: &raw const NPI_WSK_INTERFACE_ID,
            EventMask: WSK_EVENT_RECEIVE_FROM,
        };
        let input = (size_of::<WSK_EVENT_CALLBACK_CONTROL>(), (&raw mut events).cast());
        // SAFETY: WSK_SET_STATIC_EVENT_CALLBACKS takes one WSK_EVENT_CALLBACK_CONTROL.
        let status = unsafe { self.control(WSK_SET_STATIC_EVENT_CALLBACKS, input, (0, null_mut())) };
        if status.is_success() { Ok(()) } else { Err(CaptureError::Refused(status)) }
    }
}

impl<K: Kernel> Drop for Provider<K> {
    fn drop(&mut self) {
        // SAFETY: pays for the one capture that made this value.
        unsafe { self.block.kernel.wsk_release_provider_npi(self.block.registration.get()) };
        self.block.captures.fetch_sub(1, Ordering::Release);
    }
}
