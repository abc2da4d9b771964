//! A registered client, and calls that are waited for.

use std::ffi::c_void;
use std::net::SocketAddr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, EmbeddedIrp, IO_SIZE_OF_IRP_1, IRP, KEVENT, MDL, io_set_completion_routine,
    mm_initialize_mdl,
};
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, IPPROTO_TCP, SOCK_STREAM};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_BUF, WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_EVENT_CALLBACK_CONTROL,
    WSK_INFINITE_WAIT, WSK_PROVIDER_BASIC_DISPATCH, WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI,
    WSK_REGISTRATION, WSK_SET_STATIC_EVENT_CALLBACKS, WSK_SOCKET,
};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;

/// Stays at its address as long as the client is registered.
static DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0100, Reserved: 0, WskClientEvent: None };

/// A registered client that has captured the provider.
pub(crate) struct Client {
    pub(crate) kernel: HostKernel,
    registration: Box<WSK_REGISTRATION>,
    npi: WSK_PROVIDER_NPI,
}

// SAFETY: the provider's tables and clients can be used from any thread.
unsafe impl Sync for Client {}

impl Client {
    pub(crate) fn new(kernel: &HostKernel) -> Result<Self, String> {
        let mut registration: Box<WSK_REGISTRATION> = Box::new(zeroed());
        let mut npi = WSK_CLIENT_NPI { ClientContext: std::ptr::null_mut(), Dispatch: &raw const DISPATCH };
        // SAFETY: the registration is boxed and deregistered before it goes; the dispatch is static.
        let status = unsafe { kernel.wsk_register(&raw mut npi, &raw mut *registration) };
        succeeded("WskRegister", status)?;
        let mut npi: WSK_PROVIDER_NPI = zeroed();
        // SAFETY: registered above.
        let status = unsafe {
            kernel.wsk_capture_provider_npi(&raw mut *registration, WSK_INFINITE_WAIT, &raw mut npi)
        };
        succeeded("WskCaptureProviderNPI", status)?;
        Ok(Self { kernel: kernel.clone(), registration, npi })
    }

    /// Gives the provider back. Waits until every socket is closed.
    pub(crate) fn end(mut self) {
        // SAFETY: pays for the capture in `new`.
        unsafe { self.kernel.wsk_release_provider_npi(&raw mut *self.registration) };
        // SAFETY: registered in `new`.
        unsafe { self.kernel.wsk_deregister(&raw mut *self.registration) };
    }

    /// What WskSocket and its like are called with.
    pub(crate) fn provider(&self) -> (WSK_PROVIDER_NPI, &WSK_PROVIDER_DISPATCH) {
        // SAFETY: the provider's table lives until the client is deregistered.
        (self.npi, unsafe { &*self.npi.Dispatch })
    }

    /// WSK_SET_STATIC_EVENT_CALLBACKS: these events are on for every socket from its creation on.
    pub(crate) fn set_static_events(&self, mask: u32) -> Result<(), String> {
        let mut control =
            WSK_EVENT_CALLBACK_CONTROL { NpiId: &raw const NPI_WSK_INTERFACE_ID, EventMask: mask };
        let (npi, dispatch) = self.provider();
        let call = dispatch.WskControlClient.ok_or("no WskControlClient")?;
        let (nothing, nowhere) = (std::ptr::null_mut(), std::ptr::null_mut());
        let input = (&raw mut control).cast::<c_void>();
        // SAFETY: a captured client; the input lives through the call, which takes no IRP.
        let status = unsafe {
            call(
                npi.Client,
                WSK_SET_STATIC_EVENT_CALLBACKS,
                size_of_val(&control),
                input,
                0,
                nothing,
                nowhere,
                std::ptr::null_mut(),
            )
        };
        succeeded("WSK_SET_STATIC_EVENT_CALLBACKS", status)
    }

    /// WskSocket of a category over TCP, with the client's context and table of callbacks.
    pub(crate) fn socket<T>(
        &self,
        local: SocketAddr,
        flags: u32,
        context: *mut c_void,
        table: *const T,
    ) -> Result<*mut WSK_SOCKET, String> {
        let (npi, dispatch) = self.provider();
        let call = dispatch.WskSocket.ok_or("no WskSocket")?;
        let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
        let (process, thread) = (std::ptr::null_mut(), std::ptr::null_mut());
        let security = std::ptr::null_mut();
        let (status, information) = Call::new(&self.kernel).run(|irp| {
            // SAFETY: a captured client; the context and the table outlive the socket.
            unsafe {
                call(
                    npi.Client,
                    family,
                    SOCK_STREAM,
                    IPPROTO_TCP,
                    flags,
                    context,
                    table.cast(),
                    process,
                    thread,
                    security,
                    irp,
                )
            }
        });
        succeeded("WskSocket", status)?;
        Ok(std::ptr::with_exposed_provenance_mut(information))
    }

    /// WskCloseSocket.
    pub(crate) fn close(&self, socket: *mut WSK_SOCKET) -> Result<(), String> {
        // SAFETY: a socket of any category begins with the basic table.
        let table = unsafe { table_of::<WSK_PROVIDER_BASIC_DISPATCH>(socket) };
        let call = table.WskCloseSocket.ok_or("no WskCloseSocket")?;
        // SAFETY: a live socket that nobody else uses any more.
        let (status, _) = Call::new(&self.kernel).run(|irp| unsafe { call(socket, irp) });
        succeeded("WskCloseSocket", status)
    }
}

/// A socket's table, as that of its category or the beginning that all have.
///
/// # Safety
/// `socket` is live, and of a category whose table begins with a `T`.
pub(crate) unsafe fn table_of<T>(socket: *mut WSK_SOCKET) -> &'static T {
    // SAFETY: a live socket.
    let table = unsafe { (*socket).Dispatch };
    // SAFETY: the provider's tables live as long as the provider.
    unsafe { &*table.cast() }
}

pub(crate) fn succeeded(what: &str, status: NTSTATUS) -> Result<(), String> {
    if status == STATUS_SUCCESS { Ok(()) } else { Err(format!("{what}: {status:?}")) }
}

/// An IRP, and the event that its completion sets. A driver keeps both in memory that it took beforehand.
pub(crate) struct Call {
    kernel: HostKernel,
    irp: Box<EmbeddedIrp>,
    done: Box<Done>,
}

/// What the completion routine needs.
struct Done {
    kernel: HostKernel,
    event: KEVENT,
}

impl Call {
    pub(crate) fn new(kernel: &HostKernel) -> Self {
        let mut irp: Box<EmbeddedIrp> = Box::new(zeroed());
        // SAFETY: boxed, and of the size given.
        unsafe { kernel.io_initialize_irp(EmbeddedIrp::as_irp(&raw mut *irp), IO_SIZE_OF_IRP_1, 1) };
        let mut done = Box::new(Done { kernel: kernel.clone(), event: zeroed() });
        // SAFETY: boxed.
        unsafe { kernel.ke_initialize_event(&raw mut done.event, false) };
        Self { kernel: kernel.clone(), irp, done }
    }

    /// Hands the IRP to `call`, waits for its completion, and returns how it ended. The completion may have run before
    /// `call` returns; the event is set either way.
    pub(crate) fn run(&mut self, call: impl FnOnce(*mut IRP) -> NTSTATUS) -> (NTSTATUS, usize) {
        let irp = EmbeddedIrp::as_irp(&raw mut *self.irp);
        let context = (&raw mut *self.done).cast();
        // SAFETY: fresh or reused, so a stack location is left; `done` outlives the request.
        unsafe { io_set_completion_routine(irp, Some(complete), context, true, true, true) };
        let status = call(irp);
        if status == STATUS_PENDING {
            // SAFETY: initialised in `new`.
            let _ = unsafe { self.kernel.ke_wait_for_single_object(&raw mut self.done.event, None) };
        }
        // SAFETY: the packet is this value's again.
        let ended = unsafe { (*irp).IoStatus };
        // SAFETY: as above.
        unsafe { self.kernel.io_reuse_irp(irp, STATUS_SUCCESS) };
        // SAFETY: initialised in `new`, and nobody sets it any more.
        unsafe { self.kernel.ke_clear_event(&raw mut self.done.event) };
        (ended.Status, ended.Information)
    }
}

/// The packet stays the caller's, which is what the status says.
unsafe extern "C" fn complete(_device: *mut DEVICE_OBJECT, _irp: *mut IRP, context: *mut c_void) -> NTSTATUS {
    let done = context.cast::<Done>();
    // A copy: whoever waits may free the rest as soon as the event is set.
    // SAFETY: `run` set the context, and waits for this when the call pends.
    let kernel = unsafe { (*done).kernel.clone() };
    // SAFETY: as above.
    let event = unsafe { &raw mut (*done).event };
    // SAFETY: initialised by `Call::new`.
    unsafe { kernel.ke_set_event(event) };
    STATUS_MORE_PROCESSING_REQUIRED
}

/// Memory and the MDL that describes it.
pub(crate) struct Buffer {
    pub(crate) bytes: Box<[u8]>,
    mdl: Box<[u64]>,
}

impl Buffer {
    pub(crate) fn new(kernel: &HostKernel, size: u32) -> Self {
        let bytes = vec![0u8; size as usize].into_boxed_slice();
        // A header of 48 bytes, and a page number for each page that so many bytes can touch.
        let mut mdl = vec![0u64; 6 + size as usize / 4096 + 2].into_boxed_slice();
        let header = mdl.as_mut_ptr().cast::<MDL>();
        // SAFETY: room for header and page numbers; the memory does not move.
        unsafe { mm_initialize_mdl(header, bytes.as_ptr().cast_mut().cast(), size) };
        // SAFETY: as above.
        unsafe { kernel.mm_build_mdl_for_non_paged_pool(header) };
        Self { bytes, mdl }
    }

    /// The first `length` bytes.
    pub(crate) fn first(&mut self, length: usize) -> WSK_BUF {
        WSK_BUF { Mdl: self.mdl.as_mut_ptr().cast(), Offset: 0, Length: length }
    }
}
