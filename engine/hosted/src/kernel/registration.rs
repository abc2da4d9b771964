//! WskRegister, WskCaptureProviderNPI and their opposites, and what one registration holds back.

// UNSAFETY: registration blocks and client tables are reached by address.
#![expect(unsafe_code, reason = "registration blocks live in the client's memory")]

use std::ffi::c_void;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skua_engine::abi::nt::{DRIVER_CANCEL, IRP};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_DEVICE_NOT_READY, STATUS_INVALID_PARAMETER, STATUS_NOINTERFACE,
    STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    WSK_CLIENT_NPI, WSK_INFINITE_WAIT, WSK_NO_WAIT, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
};

use super::HostKernel;
use super::lock::hold;
use crate::client::ClientControls;
use crate::npi;
use crate::request::Request;
use crate::verifier::{Object, ObjectKind, Rule, Stack};

/// The only version there is: 1.0.
pub(crate) const VERSION: u16 = 0x0100;

/// One registration, and what WSK_CLIENT points at.
///
/// # Invariants
/// While `counts` shows a capture, a call or a socket, deregistration waits, so the client's tables are in place.
pub(crate) struct Client {
    pub(crate) kernel: HostKernel,
    pub(crate) controls: ClientControls,
    /// What the client asked for.
    version: u16,
    /// Where WskRegister was called, in a verified kernel.
    created: Option<Stack>,
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// What WskDeregister waits for.
#[derive(Default)]
struct Counts {
    captures: u32,
    calls: u32,
    sockets: u32,
    /// IRPs of client-level calls that wait.
    waiting: Vec<Waiting>,
    /// Those that were taken out of `waiting` and are being completed.
    completing: u32,
    deregistering: bool,
}

/// An IRP that waits, and for what.
struct Waiting {
    request: Request,
    errand: Errand,
}

/// What a client-level IRP waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// WSK_TRANSPORT_LIST_CHANGE. Deregistration cancels it.
    ListChange,
    /// The resolution of this number. Deregistration waits for it.
    Resolution(u64),
}

/// A client-level IRP that nobody else can complete any more. Deregistration waits for it.
#[must_use]
pub(crate) struct Taken {
    client: Arc<Client>,
    request: Request,
    errand: Errand,
}

impl Taken {
    /// Ends it. A resolution has its status in `IoStatus.Information` too, as the documentation of name resolution says.
    pub(crate) fn complete(self, status: NTSTATUS) {
        let Self { client, request, errand } = self;
        let information = match errand {
            Errand::ListChange => 0,
            Errand::Resolution(_) => status_information(status),
        };
        request.complete_later(&client.kernel, status, information);
        client.counts().completing -= 1;
        client.changed.notify_all();
    }
}

/// The registrations of one kernel.
#[derive(Default)]
pub(crate) struct Registrations {
    clients: Mutex<Vec<Arc<Client>>>,
    /// Whether the provider is away, as early in boot.
    pub(crate) away: AtomicBool,
}

impl Registrations {
    /// # Safety
    /// As for WskRegister.
    pub(crate) unsafe fn register(
        &self,
        kernel: &HostKernel,
        npi: *mut WSK_CLIENT_NPI,
        registration: *mut WSK_REGISTRATION,
    ) -> NTSTATUS {
        if npi.is_null() || registration.is_null() {
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the caller promises a readable client NPI.
        let dispatch = unsafe { (*npi).Dispatch };
        if dispatch.is_null() {
            return STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the caller promises a client dispatch table behind it.
        let version = unsafe { (*dispatch).Version };
        let client = Arc::new(Client {
            kernel: kernel.own(),
            controls: ClientControls::default(),
            version,
            created: kernel.is_verified().then(Stack::capture),
            counts: Mutex::default(),
            changed: Condvar::new(),
        });
        let context = Arc::as_ptr(&client).cast_mut().cast::<c_void>();
        hold(&self.clients).push(client);
        let block = WSK_REGISTRATION {
            ReservedRegistrationState: 1,
            ReservedRegistrationContext: context,
            ReservedRegistrationLock: 0,
        };
        // SAFETY: the caller promises a writable block.
        unsafe { registration.write(block) };
        STATUS_SUCCESS
    }

    /// False when the verifier has refused it.
    ///
    /// # Safety
    /// As for WskDeregister.
    pub(crate) unsafe fn deregister(&self, kernel: &HostKernel, registration: *mut WSK_REGISTRATION) -> bool {
        // SAFETY: the caller promises a registration block.
        let Some(client) = (unsafe { self.client(kernel, registration, "WskDeregister") }) else {
            return false;
        };
        if !client.run_down(registration) {
            return false;
        }
        hold(&self.clients).retain(|known| !Arc::ptr_eq(known, &client));
        // SAFETY: the caller promises a writable block.
        unsafe { (*registration).ReservedRegistrationContext = std::ptr::null_mut() };
        true
    }

    /// # Safety
    /// As for WskCaptureProviderNPI.
    pub(crate) unsafe fn capture(
        &self,
        kernel: &HostKernel,
        registration: *mut WSK_REGISTRATION,
        wait_timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        // SAFETY: the caller promises a registration block.
        let client = unsafe { self.client(kernel, registration, "WskCaptureProviderNPI") };
        let Some(client) = client else { return STATUS_DEVICE_NOT_READY };
        let status = client.capture(&self.away, wait_timeout);
        if status == STATUS_SUCCESS {
            let provider = npi::provider_npi(&client);
            // SAFETY: the caller promises a writable provider NPI.
            unsafe { npi.write(provider) };
        }
        status
    }

    /// # Safety
    /// As for WskReleaseProviderNPI.
    pub(crate) unsafe fn release(&self, kernel: &HostKernel, registration: *mut WSK_REGISTRATION) {
        // SAFETY: the caller promises a registration block.
        let client = unsafe { self.client(kernel, registration, "WskReleaseProviderNPI") };
        let Some(client) = client else { return };
        let mut counts = client.counts();
        if counts.captures == 0 {
            drop(counts);
            if let Some(verifier) = kernel.verifier() {
                let message = "WskReleaseProviderNPI without a capture to pay for".to_owned();
                let object = Object::at(ObjectKind::Registration, registration);
                verifier.find(Rule::NpiNotCaptured, object, client.created.clone(), message);
            }
            return;
        }
        counts.captures -= 1;
        client.changed.notify_all();
    }

    /// # Safety
    /// As for WskQueryProviderCharacteristics.
    pub(crate) unsafe fn query(
        &self,
        kernel: &HostKernel,
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS {
        // SAFETY: the caller promises a registration block.
        let client = unsafe { self.client(kernel, registration, "WskQueryProviderCharacteristics") };
        let Some(client) = client else { return STATUS_DEVICE_NOT_READY };
        if self.away.load(Ordering::SeqCst) || client.counts().deregistering {
            return STATUS_DEVICE_NOT_READY;
        }
        let versions = WSK_PROVIDER_CHARACTERISTICS { HighestVersion: VERSION, LowestVersion: VERSION };
        // SAFETY: the caller promises writable characteristics.
        unsafe { characteristics.write(versions) };
        STATUS_SUCCESS
    }

    /// Captures and releases outstanding.
    pub(crate) fn captures(&self) -> usize {
        hold(&self.clients).iter().map(|client| client.counts().captures as usize).sum()
    }

    /// The list of transports has changed.
    pub(crate) fn complete_list_changes(&self) {
        let clients: Vec<Arc<Client>> = hold(&self.clients).clone();
        for client in clients {
            // All of them first: a client may wait for the next change in its completion routine.
            let taken: Vec<Taken> = std::iter::from_fn(|| client.take_waiting(Errand::ListChange)).collect();
            taken.into_iter().for_each(|taken| taken.complete(STATUS_SUCCESS));
        }
    }

    /// The provider arrives, or goes away for those who capture from now on.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
        for client in hold(&self.clients).iter() {
            let _counts = client.counts();
            client.changed.notify_all();
        }
    }

    /// What is left of each registration, where it was made, and in what state it is.
    pub(crate) fn left(&self) -> Vec<(Object, Option<Stack>, String)> {
        let of = |client: &Arc<Client>| {
            let captures = client.counts().captures;
            let address = Arc::as_ptr(client).addr();
            let (kind, what) = if captures > 0 {
                (ObjectKind::ProviderNpi, format!("the provider NPI is captured {captures} times"))
            } else {
                (ObjectKind::Registration, "the registration was not ended with WskDeregister".to_owned())
            };
            (Object { kind, address }, client.created.clone(), what)
        };
        hold(&self.clients).iter().map(of).collect()
    }

    /// The client of a registration. `None` when there is none and that is a finding which is recorded.
    ///
    /// # Safety
    /// `registration` is null or a readable block.
    unsafe fn client(
        &self,
        kernel: &HostKernel,
        registration: *mut WSK_REGISTRATION,
        routine: &str,
    ) -> Option<Arc<Client>> {
        let context = if registration.is_null() {
            std::ptr::null_mut()
        } else {
            // SAFETY: the caller promises a readable block.
            unsafe { (*registration).ReservedRegistrationContext }
        };
        let clients = hold(&self.clients);
        let known =
            clients.iter().find(|client| Arc::as_ptr(client).cast::<c_void>() == context.cast_const());
        if let Some(client) = known {
            return Some(Arc::clone(client));
        }
        drop(clients);
        let message = format!("{routine}: the WSK_REGISTRATION at {registration:p} is not registered");
        let object = Object::at(ObjectKind::Registration, registration);
        kernel.breach(Rule::RegistrationUnknown, object, message);
        None
    }
}

impl Client {
    /// Starts a client-level call, which deregistration waits for. `None` when no capture is left to call under.
    pub(crate) fn call(self: &Arc<Self>) -> Option<Call> {
        let mut counts = self.counts();
        if counts.captures == 0 {
            return None;
        }
        counts.calls += 1;
        Some(Call(Arc::clone(self)))
    }

    /// Notes a socket, which deregistration waits for.
    pub(crate) fn socket_opened(&self) {
        self.counts().sockets += 1;
    }

    /// The socket is closed.
    pub(crate) fn socket_closed(&self) {
        self.counts().sockets -= 1;
        self.changed.notify_all();
    }

    /// Keeps a client-level IRP until [`Client::take_waiting`] or its owner, through `routine`, ends it. Gives it back when it
    /// is cancelled already.
    pub(crate) fn keep_waiting(
        &self,
        request: Request,
        errand: Errand,
        routine: DRIVER_CANCEL,
        context: *mut c_void,
    ) -> Result<(), Request> {
        let mut counts = self.counts();
        let is_late = errand == Errand::ListChange && counts.deregistering;
        if is_late || !request.arm(routine, context) {
            return Err(request);
        }
        request.mark_pending();
        counts.waiting.push(Waiting { request, errand });
        Ok(())
    }

    /// Takes one that waits for `errand`, unless it is being cancelled.
    pub(crate) fn take_waiting(self: &Arc<Self>, errand: Errand) -> Option<Taken> {
        self.take(|waiting| waiting.errand == errand && waiting.request.disarm())
    }

    /// What the cancel routine of a waiting IRP does.
    pub(crate) fn cancel_waiting(self: &Arc<Self>, irp: *mut IRP) {
        if let Some(taken) = self.take(|waiting| waiting.request.is(irp)) {
            taken.complete(STATUS_CANCELLED);
        }
    }

    fn take(self: &Arc<Self>, which: impl FnMut(&Waiting) -> bool) -> Option<Taken> {
        let mut counts = self.counts();
        let position = counts.waiting.iter().position(which)?;
        let Waiting { request, errand } = counts.waiting.remove(position);
        counts.completing += 1;
        Some(Taken { client: Arc::clone(self), request, errand })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        hold(&self.counts)
    }

    #[cold]
    fn blocked(&self, registration: *mut WSK_REGISTRATION, outstanding: String) {
        let Some(verifier) = self.kernel.verifier() else { return };
        let message =
            format!("WskDeregister has waited for {:?}, and {outstanding}", verifier.config().blocked_after);
        let object = Object::at(ObjectKind::Registration, registration);
        verifier.find(Rule::DeregistrationBlocked, object, self.created.clone(), message);
    }

    fn capture(&self, away: &AtomicBool, wait_timeout: u32) -> NTSTATUS {
        if self.version != VERSION {
            return STATUS_NOINTERFACE;
        }
        let limit = Duration::from_millis(u64::from(wait_timeout));
        let deadline = (wait_timeout != WSK_INFINITE_WAIT).then(|| Instant::now() + limit);
        let mut counts = self.counts();
        loop {
            if counts.deregistering {
                return STATUS_DEVICE_NOT_READY;
            }
            if !away.load(Ordering::SeqCst) {
                counts.captures += 1;
                return STATUS_SUCCESS;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if wait_timeout == WSK_NO_WAIT || left.is_some_and(|left| left.is_zero()) {
                return STATUS_DEVICE_NOT_READY;
            }
            counts = match left {
                Some(left) => {
                    self.changed.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(counts).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Blocks until nothing of the registration is in use. False when the verifier gave that up, and the registration is as
    /// it was.
    fn run_down(self: &Arc<Self>, registration: *mut WSK_REGISTRATION) -> bool {
        let limit = self.kernel.verifier().map(|verifier| verifier.config().blocked_after);
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.counts().deregistering = true;
        self.changed.notify_all();
        // One that cannot be taken is being cancelled by its owner, who takes it.
        while let Some(taken) = self.take_waiting(Errand::ListChange) {
            taken.complete(STATUS_CANCELLED);
        }
        let mut counts = self.counts();
        while !counts.is_idle() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            counts = match left {
                Some(Duration::ZERO) => {
                    counts.deregistering = false;
                    let message = counts.to_string();
                    drop(counts);
                    self.blocked(registration, message);
                    return false;
                }
                Some(left) => {
                    self.changed.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(counts).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captures, calls, sockets, waiting, .. } = self;
        let irps = waiting.len();
        write!(
            f,
            "{captures} captures of the NPI, {calls} calls, {sockets} sockets and {irps} IRPs are outstanding"
        )
    }
}

impl Counts {
    fn is_idle(&self) -> bool {
        let held = self.captures + self.calls + self.sockets + self.completing;
        held == 0 && self.waiting.is_empty()
    }
}

/// A status as `IoStatus.Information` holds it.
pub(crate) fn status_information(status: NTSTATUS) -> usize {
    status.to_bits() as usize
}

/// A client-level call under way.
pub(crate) struct Call(Arc<Client>);

impl std::ops::Deref for Call {
    type Target = Arc<Client>;

    fn deref(&self) -> &Arc<Client> {
        &self.0
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.counts().calls -= 1;
        self.0.changed.notify_all();
    }
}
