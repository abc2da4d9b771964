//! A WSK client in the plain C ABI, with nothing of the engine's above it.

pub(crate) mod events;
pub(crate) mod recorder;
pub(crate) mod security;
pub(crate) mod socket;
pub(crate) mod stream;

use std::ffi::c_void;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use skua_engine::Kernel;
use skua_engine::abi::nt::{DEVICE_OBJECT, EmbeddedIrp, IO_SIZE_OF_IRP_1, IRP, io_set_completion_routine};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_EVENT_CALLBACK_CONTROL,
    WSK_EVENT_RECEIVE_FROM, WSK_INFINITE_WAIT, WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_REGISTRATION,
    WSK_SET_STATIC_EVENT_CALLBACKS,
};
use skua_engine::abi::zeroed;
use skua_hosted::{HostConfig, HostKernel, ProviderConfig, Transport};

/// Longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A port of its own at the loopback address.
pub(crate) const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// The same of IPv6.
pub(crate) const LOCALHOST_V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

/// The transports that a rule is checked over.
pub(crate) const TRANSPORTS: [Transport; 3] = [Transport::Os, Transport::Portable, Transport::Loopback];

/// A kernel over `transport`.
pub(crate) fn kernel(transport: Transport) -> HostKernel {
    with(ProviderConfig { transport, ..ProviderConfig::default() })
}

/// The same without verifier: for what the provider itself answers to a client that breaks a rule, and for what the
/// verifier's copies hide.
pub(crate) fn unverified(transport: Transport) -> HostKernel {
    let provider = ProviderConfig { transport, ..ProviderConfig::default() };
    HostKernel::new(HostConfig { processors: 2, provider, ..HostConfig::default() }.unverified())
}

/// A kernel with two processors.
pub(crate) fn with(mut provider: ProviderConfig) -> HostKernel {
    provider.middleware.extend(crate::layer::asked_for());
    HostKernel::new(HostConfig { processors: 2, provider, ..HostConfig::default() })
}

pub(crate) static CLIENT_DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0100, Reserved: 0, WskClientEvent: None };

/// A registered client.
pub(crate) struct Client {
    pub(crate) kernel: HostKernel,
    pub(crate) registration: Box<WSK_REGISTRATION>,
    pub(crate) npi: WSK_PROVIDER_NPI,
}

// SAFETY: the provider's tables and clients can be used from any thread.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// Registers and captures.
    pub(crate) fn new(kernel: &HostKernel) -> Self {
        let mut registration: Box<WSK_REGISTRATION> = Box::new(zeroed());
        let mut client =
            WSK_CLIENT_NPI { ClientContext: std::ptr::null_mut(), Dispatch: &raw const CLIENT_DISPATCH };
        // SAFETY: the block is boxed and the dispatch static.
        let status = unsafe { kernel.wsk_register(&raw mut client, &raw mut *registration) };
        assert_eq!(status, STATUS_SUCCESS);
        let mut npi: WSK_PROVIDER_NPI = zeroed();
        // SAFETY: registered above.
        let status = unsafe {
            kernel.wsk_capture_provider_npi(&raw mut *registration, WSK_INFINITE_WAIT, &raw mut npi)
        };
        assert_eq!(status, STATUS_SUCCESS);
        Self { kernel: kernel.clone(), registration, npi }
    }

    /// As [`Client::new`], with the receive event static.
    pub(crate) fn with_static_events(kernel: &HostKernel) -> Self {
        let client = Self::new(kernel);
        assert_eq!(client.set_static_events(WSK_EVENT_RECEIVE_FROM), STATUS_SUCCESS);
        client
    }

    pub(crate) fn set_static_events(&self, mask: u32) -> NTSTATUS {
        let mut control =
            WSK_EVENT_CALLBACK_CONTROL { NpiId: &raw const NPI_WSK_INTERFACE_ID, EventMask: mask };
        self.control(WSK_SET_STATIC_EVENT_CALLBACKS, Some(bytes_of(&mut control)), None, std::ptr::null_mut())
            .0
    }

    /// WskControlClient: the status, and the size returned.
    pub(crate) fn control(
        &self,
        code: u32,
        input: Option<(*mut c_void, usize)>,
        output: Option<(*mut c_void, usize)>,
        irp: *mut IRP,
    ) -> (NTSTATUS, usize) {
        let (input, input_size) = input.unwrap_or((std::ptr::null_mut(), 0));
        let (output, output_size) = output.unwrap_or((std::ptr::null_mut(), 0));
        let mut returned = 0;
        let call = self.dispatch().WskControlClient.unwrap();
        // SAFETY: buffers of these sizes; `returned` lives through the call.
        let status = unsafe {
            call(self.npi.Client, code, input_size, input, output_size, output, &raw mut returned, irp)
        };
        (status, returned)
    }

    pub(crate) fn dispatch(&self) -> &WSK_PROVIDER_DISPATCH {
        // SAFETY: the provider's table is static.
        unsafe { &*self.npi.Dispatch }
    }

    /// Releases and deregisters, and checks that nothing is left.
    pub(crate) fn end(mut self) {
        // SAFETY: pays for the capture in `new`.
        unsafe { self.kernel.wsk_release_provider_npi(&raw mut *self.registration) };
        // SAFETY: registered in `new`.
        unsafe { self.kernel.wsk_deregister(&raw mut *self.registration) };
        assert!(self.kernel.outstanding().is_empty(), "{:?}", self.kernel.outstanding());
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) status: Option<NTSTATUS>,
    pub(crate) information: usize,
    pub(crate) pending_returned: bool,
    pub(crate) times: u32,
    /// The level at which the completion routine ran.
    pub(crate) irql: u8,
}

/// An IRP of one's own, and what its completion routine saw.
pub(crate) struct Irp {
    kernel: HostKernel,
    irp: Box<EmbeddedIrp>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    kernel: Mutex<Option<HostKernel>>,
    completion: Mutex<Completion>,
    changed: Condvar,
}

// SAFETY: the packet is boxed and handed over as a whole.
unsafe impl Send for Irp {}

impl Irp {
    pub(crate) fn new(kernel: &HostKernel) -> Self {
        let mut irp: Box<EmbeddedIrp> = Box::new(zeroed());
        // SAFETY: boxed, of the size given.
        unsafe { kernel.io_initialize_irp(EmbeddedIrp::as_irp(&raw mut *irp), IO_SIZE_OF_IRP_1, 1) };
        let seen = Arc::new(Seen { kernel: Mutex::new(Some(kernel.clone())), ..Seen::default() });
        let mut irp = Self { kernel: kernel.clone(), irp, seen };
        irp.arm();
        irp
    }

    fn arm(&mut self) {
        let context = Arc::as_ptr(&self.seen).cast_mut().cast();
        let irp = self.raw();
        // SAFETY: fresh or reused, so a location is left; `seen` outlives the request.
        unsafe { io_set_completion_routine(irp, Some(complete), context, true, true, true) };
    }

    pub(crate) fn reuse(&mut self) {
        // SAFETY: completed before, or never handed over.
        unsafe { self.kernel.io_reuse_irp(EmbeddedIrp::as_irp(&raw mut *self.irp), STATUS_SUCCESS) };
        *self.seen.completion.lock().unwrap() = Completion::default();
        self.arm();
    }

    pub(crate) fn raw(&mut self) -> *mut IRP {
        EmbeddedIrp::as_irp(&raw mut *self.irp)
    }

    pub(crate) fn cancel(&mut self) -> bool {
        // SAFETY: the packet outlives the call.
        unsafe { self.kernel.io_cancel_irp(EmbeddedIrp::as_irp(&raw mut *self.irp)) }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.seen.completion.lock().unwrap().times > 0
    }

    /// Waits for the completion routine.
    #[track_caller]
    pub(crate) fn wait(&self) -> Completion {
        let deadline = Instant::now() + LIMIT;
        let mut completion = self.seen.completion.lock().unwrap();
        while completion.times == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the IRP was not completed in time");
            completion = self.seen.changed.wait_timeout(completion, left).unwrap().0;
        }
        *completion
    }

    /// Hands the packet to `call`, waits for it, and checks the rule of every function that takes one: completed once,
    /// with the status that was returned, and marked pending exactly when STATUS_PENDING was.
    #[track_caller]
    pub(crate) fn run(&mut self, call: impl FnOnce(*mut IRP) -> NTSTATUS) -> (NTSTATUS, usize) {
        let returned = call(self.raw());
        let completion = self.wait();
        check(returned, completion);
        self.reuse();
        (completion.status.unwrap(), completion.information)
    }
}

/// What holds between what a function returned and how its IRP was completed.
#[track_caller]
pub(crate) fn check(returned: NTSTATUS, completion: Completion) {
    assert_eq!(completion.times, 1, "completed once");
    assert_eq!(
        completion.pending_returned,
        returned == STATUS_PENDING,
        "marked pending iff PENDING is returned"
    );
    if returned != STATUS_PENDING {
        assert_eq!(completion.status, Some(returned), "completed with the status returned");
    }
}

unsafe extern "C" fn complete(_device: *mut DEVICE_OBJECT, irp: *mut IRP, context: *mut c_void) -> NTSTATUS {
    // SAFETY: `arm` set the context, and the packet's owner waits for this.
    let seen = unsafe { &*context.cast::<Seen>() };
    // SAFETY: completed, so it is the owner's again.
    let packet = unsafe { &*irp };
    let irql = seen.kernel.lock().unwrap().as_ref().map_or(0, Kernel::ke_get_current_irql);
    let mut completion = seen.completion.lock().unwrap();
    *completion = Completion {
        status: Some(packet.IoStatus.Status),
        information: packet.IoStatus.Information,
        pending_returned: packet.PendingReturned != 0,
        times: completion.times + 1,
        irql,
    };
    seen.changed.notify_all();
    STATUS_MORE_PROCESSING_REQUIRED
}

/// Address and size of a value.
pub(crate) fn bytes_of<T>(value: &mut T) -> (*mut c_void, usize) {
    (std::ptr::from_mut(value).cast(), size_of::<T>())
}

/// Waits until `condition`, and fails when it does not come about.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
