//! What the programs are made of: IRPs of their own, and a registered client.

use std::ffi::c_void;
use std::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, EmbeddedIrp, IO_SIZE_OF_IRP_1, IRP, io_set_completion_routine,
    io_set_next_irp_stack_location,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_NO_WAIT, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;

/// Keeps the packet, as every owner does.
pub(crate) unsafe extern "C" fn keep(_: *mut DEVICE_OBJECT, _: *mut IRP, _: *mut c_void) -> NTSTATUS {
    STATUS_MORE_PROCESSING_REQUIRED
}

/// An IRP that is initialised, with a completion routine. It is never freed: the verifier may still know its address.
pub(crate) fn irp(kernel: &HostKernel) -> *mut IRP {
    let irp = uninitialized();
    // SAFETY: of this size.
    unsafe { kernel.io_initialize_irp(irp, IO_SIZE_OF_IRP_1, 1) };
    prepare(irp);
    irp
}

/// The memory of an IRP.
pub(crate) fn uninitialized() -> *mut IRP {
    EmbeddedIrp::as_irp(Box::leak(Box::new(zeroed())))
}

pub(crate) fn prepare(irp: *mut IRP) {
    // SAFETY: a location is left.
    unsafe { io_set_completion_routine(irp, Some(keep), ptr::null_mut(), true, true, true) };
}

/// Hands a packet over as a caller of a driver does, which here is nobody.
pub(crate) fn call_down(irp: *mut IRP) {
    // SAFETY: a location is left.
    unsafe { io_set_next_irp_stack_location(irp) };
}

pub(crate) fn complete(kernel: &HostKernel, irp: *mut IRP) {
    // SAFETY: given up here, rightly or not.
    unsafe { kernel.io_complete_request(irp, 0) };
}

static DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0100, Reserved: 0, WskClientEvent: None };

/// A registered client with a captured NPI. Nothing is undone that the program does not undo.
pub(crate) struct Client {
    pub(crate) kernel: HostKernel,
    pub(crate) registration: *mut WSK_REGISTRATION,
    pub(crate) npi: WSK_PROVIDER_NPI,
}

impl Client {
    pub(crate) fn new(kernel: &HostKernel) -> Self {
        let registration = Box::leak(Box::new(zeroed::<WSK_REGISTRATION>()));
        let mut npi = WSK_CLIENT_NPI { ClientContext: ptr::null_mut(), Dispatch: &raw const DISPATCH };
        // SAFETY: the block stays and the dispatch is static.
        let status = unsafe { kernel.wsk_register(&raw mut npi, registration) };
        assert_eq!(status, STATUS_SUCCESS);
        let mut client = Self { kernel: kernel.clone(), registration, npi: zeroed() };
        assert_eq!(client.capture(), STATUS_SUCCESS);
        client
    }

    pub(crate) fn capture(&mut self) -> NTSTATUS {
        // SAFETY: registered.
        unsafe { self.kernel.wsk_capture_provider_npi(self.registration, WSK_NO_WAIT, &raw mut self.npi) }
    }

    pub(crate) fn release(&self) {
        // SAFETY: registered; whether it pays for a capture is the program's business.
        unsafe { self.kernel.wsk_release_provider_npi(self.registration) };
    }

    pub(crate) fn deregister(&self) {
        // SAFETY: whether it is registered is the program's business.
        unsafe { self.kernel.wsk_deregister(self.registration) };
    }

    /// Undoes what [`Client::new`] did.
    pub(crate) fn end(&self) {
        self.release();
        self.deregister();
    }
}
