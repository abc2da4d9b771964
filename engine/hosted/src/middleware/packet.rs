//! A client's packet while the layer has it, and the layer's own that goes down instead.

// UNSAFETY: completion and cancel routines get packets by address.
#![expect(unsafe_code, reason = "IRPs are reached by address")]

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use skua_engine::Kernel;
use skua_engine::abi::nt::{DEVICE_OBJECT, EmbeddedIrp, IO_SIZE_OF_IRP_1, IRP, io_set_completion_routine};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED};
use skua_engine::abi::wsk::WSK_SOCKET;
use skua_engine::abi::zeroed;

use super::layer::Shared;
use super::{Arguments, Completion, Function, LayeredSocket};
use crate::kernel::irp::{cancel_irql, mark_cancelled};
use crate::kernel::lock::hold;
use crate::request::{Request, cancel_context};

/// One call's packets.
///
/// # Invariants
/// `lower` is initialised when this is made, goes down once, and is not touched by the layer from then until it is
/// completed, except by IoCancelIrp.
pub(super) struct Packet {
    lower: UnsafeCell<EmbeddedIrp>,
    /// A number that no other packet of the process has or had.
    pub(super) id: u64,
    pub(super) layer: Arc<Shared>,
    pub(super) socket: Option<Arc<LayeredSocket>>,
    /// The client's packet, until it is completed or given up.
    request: Mutex<Option<Request>>,
    /// What was passed down.
    arguments: Mutex<Arguments>,
    /// The socket that the call is to create.
    made: Mutex<Option<Arc<LayeredSocket>>>,
    is_passed: AtomicBool,
    /// A middleware keeps, or has kept, the call, for which STATUS_PENDING is returned.
    is_held: AtomicBool,
    /// No middleware has to do with the call any more. Changed under the layer's count of packets.
    pub(super) has_returned: AtomicBool,
}

// SAFETY: the packets are handed from thread to thread as the field comments say; what the arguments point at is the
// provider's until the packet is completed.
unsafe impl Send for Packet {}
// SAFETY: as above.
unsafe impl Sync for Packet {}

impl Packet {
    /// Takes over a client's packet; `None` for null, and for one that the verifier refuses.
    ///
    /// # Safety
    /// `irp` is null, or handed over.
    pub(super) unsafe fn accept(
        layer: &Arc<Shared>,
        socket: Option<&Arc<LayeredSocket>>,
        arguments: &Arguments,
        irp: *mut IRP,
    ) -> Option<Arc<Self>> {
        // SAFETY: the caller's promise.
        let request = unsafe { Request::accept_for(&layer.kernel, irp, arguments.function().name()) }?;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        layer.packet_taken();
        let packet = Arc::new(Self {
            lower: UnsafeCell::new(zeroed()),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            layer: Arc::clone(layer),
            socket: socket.map(Arc::clone),
            request: Mutex::new(None),
            arguments: Mutex::new(*arguments),
            made: Mutex::default(),
            is_passed: AtomicBool::new(false),
            is_held: AtomicBool::new(false),
            has_returned: AtomicBool::new(false),
        });
        // SAFETY: in the packet for good, of the size given, and not in use.
        unsafe { layer.kernel.io_initialize_irp(packet.lower(), IO_SIZE_OF_IRP_1, 1) };
        // The routine may run from here on. It finds the packet by a reference that lasts until `disarm`.
        if !request.arm(Some(cancel), Arc::as_ptr(&packet).cast_mut().cast()) {
            // SAFETY: initialised above.
            unsafe { mark_cancelled(packet.lower()) };
        }
        *hold(&packet.request) = Some(request);
        Some(packet)
    }

    fn lower(&self) -> *mut IRP {
        EmbeddedIrp::as_irp(self.lower.get())
    }

    pub(super) fn arguments(&self) -> Arguments {
        *hold(&self.arguments)
    }

    pub(super) fn function(&self) -> Function {
        self.arguments().function()
    }

    /// Notes which socket the call creates.
    pub(super) fn will_make(&self, socket: Arc<LayeredSocket>) {
        *hold(&self.made) = Some(socket);
    }

    /// The layer's packet, ready to go down with `arguments`. Once.
    pub(super) fn send_down(self: &Arc<Self>, arguments: &Arguments) -> *mut IRP {
        let function = arguments.function();
        assert!(!self.is_passed.swap(true, Ordering::SeqCst), "a middleware passed one {function} on twice");
        *hold(&self.arguments) = *arguments;
        self.layer.kernel.ledger().passed.add(1);
        let context = Arc::into_raw(Arc::clone(self)).cast_mut().cast::<c_void>();
        // SAFETY: initialised, with its one location left.
        unsafe { io_set_completion_routine(self.lower(), Some(completed), context, true, true, true) };
        self.lower()
    }

    /// Completes the client's packet. Once.
    pub(super) fn finish(&self, status: NTSTATUS, information: usize, is_pending: bool) {
        let Some(request) = self.take_request() else { return };
        if is_pending {
            request.mark_pending();
        }
        let _ = request.complete(&self.layer.kernel, status, information);
    }

    /// Gives the client's packet back as it came, uncompleted.
    pub(super) fn give_up(&self) {
        if let Some(request) = self.take_request() {
            request.abandon(&self.layer.kernel);
        }
    }

    /// Takes the client's packet, which cannot be cancelled from then on.
    fn take_request(&self) -> Option<Request> {
        let request = hold(&self.request).take()?;
        if !request.disarm() {
            // The cancel routine runs, or has run. Until it has taken its reference it has the cancel spin lock.
            let irql = self.layer.kernel.io_acquire_cancel_spin_lock();
            self.layer.kernel.io_release_cancel_spin_lock(irql);
        }
        Some(request)
    }

    pub(super) fn set_held(&self) {
        self.is_held.store(true, Ordering::SeqCst);
    }

    /// Whether the client has cancelled its packet.
    pub(super) fn is_cancelled(&self) -> bool {
        // SAFETY: initialised, and as long there as this.
        unsafe { crate::kernel::irp::is_cancelled(self.lower()) }
    }

    /// Cancels the packet that went, or is to go, down.
    pub(super) fn cancel(&self) {
        // SAFETY: initialised, as long there as this, and never reused.
        unsafe { self.layer.kernel.io_cancel_irp(self.lower()) };
    }

    /// The provider has completed the layer's packet: what the client is to be told.
    fn outcome(&self, status: NTSTATUS, information: usize) -> usize {
        if !status.is_success() {
            return information;
        }
        if let Some(made) = hold(&self.made).take() {
            made.set_lower(std::ptr::with_exposed_provenance_mut::<WSK_SOCKET>(information));
            return made.to_client().expose_provenance();
        }
        if let (Function::CloseSocket, Some(socket)) = (self.function(), &self.socket) {
            socket.close();
        }
        information
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // A middleware has let go of it.
        if let Some(request) = self.take_request() {
            request.abandon(&self.layer.kernel);
        }
        if let Some(verifier) = self.layer.kernel.verifier() {
            verifier.irp_forgotten(EmbeddedIrp::as_irp(self.lower.get()));
        }
        self.layer.packet_returned();
    }
}

/// The provider has completed the layer's packet.
unsafe extern "C" fn completed(_device: *mut DEVICE_OBJECT, irp: *mut IRP, context: *mut c_void) -> NTSTATUS {
    // SAFETY: the reference that `send_down` gave away.
    let packet = unsafe { Arc::from_raw(context.cast::<Packet>().cast_const()) };
    // SAFETY: completed, so it is the layer's again.
    let block = unsafe { (*irp).IoStatus };
    // SAFETY: as above.
    let is_pending = unsafe { (*irp).PendingReturned } != 0 || packet.is_held.load(Ordering::SeqCst);
    packet.layer.kernel.ledger().passed.remove(1);
    let information = packet.outcome(block.Status, block.Information);
    Completion::new(packet, block.Status, information, is_pending).pass();
    STATUS_MORE_PROCESSING_REQUIRED
}

/// The client has cancelled its packet: the cancellation goes down.
unsafe extern "C" fn cancel(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called by IoCancelIrp with a packet that `accept` armed.
    let context = unsafe { cancel_context(irp) }.cast::<Packet>().cast_const();
    // SAFETY: whoever takes the packet's request waits for the cancel spin lock, which is held here.
    unsafe { Arc::increment_strong_count(context) };
    // SAFETY: the reference just taken.
    let packet = unsafe { Arc::from_raw(context) };
    // SAFETY: the packet is being cancelled.
    let irql = unsafe { cancel_irql(irp) };
    packet.layer.kernel.io_release_cancel_spin_lock(irql);
    packet.cancel();
}
