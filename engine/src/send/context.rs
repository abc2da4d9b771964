//! One send from the caller's hand to the provider's completion.

// UNSAFETY: a context holds an IRP and an MDL in place, and is reached by address from the completion routine.
#![expect(
    unsafe_code,
    reason = "a context belongs to the caller, then to the provider, then to the pool again"
)]

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::AtomicU32;

use skua_pools::{Magazine, Pool, PoolConfig, PoolError, Tag};

use crate::abi::nt::{EmbeddedIrp, IO_SIZE_OF_IRP_1, MDL, mdl_size_for_any_address, mm_initialize_mdl};
use crate::abi::sockaddr::SOCKADDR_INET;
use crate::abi::status::NTSTATUS;
use crate::abi::wsk::{WSK_BUF, WSK_BUF_LIST};
use crate::buffers::Buffers;
use crate::kernel::Kernel;
use crate::receive::retained::Retained;
use crate::send::control::Control;

/// Everything one send needs, set aside at open: an IRP with one stack location, the list node, the address, the control
/// messages, an MDL built once, and the bytes it describes.
///
/// # Invariants
/// `own` describes `data` from open on; `node.Buffer.Mdl` is `own` unless `loan` says that the memory is somebody else's.
/// Between the call and the completion the provider reads all of it, hence nothing writes to it.
#[repr(C)]
pub(crate) struct SendContext<K: Kernel> {
    irp: UnsafeCell<EmbeddedIrp>,
    /// What is sent: one datagram, or one of a list.
    pub node: UnsafeCell<WSK_BUF_LIST>,
    /// Where to. Lives until the completion: WSK's documentation is silent on how long it is read.
    pub remote: UnsafeCell<SOCKADDR_INET>,
    /// Likewise, as documented.
    pub control: UnsafeCell<Control>,
    /// The next context of the same list. Written before the call, read by the completion.
    pub next: UnsafeCell<*mut SendContext<K>>,
    /// The block of the socket that sends.
    pub socket: UnsafeCell<*const c_void>,
    /// Datagrams in the list whose IRP this is.
    pub datagrams: UnsafeCell<u32>,
    /// Bumped by the completion, and by the caller of a provider that refused without completing, who does so only if
    /// it still finds the number that the call began with.
    pub ticket: AtomicU32,
    /// Whose memory is sent. Written by who fills the context and by who empties it.
    pub loan: UnsafeCell<Loan<K>>,
    own: NonNull<MDL>,
    data: NonNull<u8>,
}

// SAFETY: a context is owned by one party at a time, see its invariants.
unsafe impl<K: Kernel> Send for SendContext<K> {}
// SAFETY: shared references reach its cells only by the owner's leave.
unsafe impl<K: Kernel> Sync for SendContext<K> {}

impl<K: Kernel> SendContext<K> {
    /// The IRP.
    pub(crate) fn irp(&self) -> *mut crate::abi::nt::IRP {
        EmbeddedIrp::as_irp(self.irp.get())
    }

    /// The bytes to fill.
    pub(crate) fn data(&self) -> NonNull<u8> {
        self.data
    }

    /// Makes memory that is not the context's what it sends.
    ///
    /// # Safety
    /// The context is the caller's.
    pub(crate) unsafe fn borrow(&self, buffer: WSK_BUF, loan: Loan<K>) {
        // SAFETY: the caller's promise.
        unsafe { (*self.node.get()).Buffer = buffer };
        // SAFETY: the caller's promise.
        unsafe { *self.loan.get() = loan };
    }

    /// Makes the context send its own bytes again; what it sent that was not its own goes back.
    ///
    /// # Safety
    /// The context is the caller's, and no request is under way on it.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    #[inline(never)]
    pub(crate) unsafe fn settle(&self, status: NTSTATUS) {
        // SAFETY: the caller's promise.
        let loan = unsafe { &mut *self.loan.get() };
        match loan {
            Loan::None => return,
            // Dropped where it lies: it is large for a stack at DISPATCH_LEVEL.
            Loan::Retained(_) => *loan = Loan::None,
            &mut Loan::Callers(callers) => {
                *loan = Loan::None;
                callers.give_back(status);
            }
        }
        let buffer = WSK_BUF { Mdl: self.own.as_ptr(), Offset: 0, Length: 0 };
        // SAFETY: the caller's promise.
        unsafe { (*self.node.get()).Buffer = buffer };
    }
}

/// Whose memory a context sends.
pub(crate) enum Loan<K: Kernel> {
    /// The context's own.
    None,
    /// The provider's, which was kept for this.
    #[expect(dead_code, reason = "held until the send is over, and then dropped")]
    Retained(Retained<K>),
    /// The caller's.
    Callers(CallersBuffer),
}

/// Memory of the caller's that is sent as it is.
///
/// [`CallersBuffer::done`] is called once with `context`, whatever becomes of the send: with the status of its completion, or
/// STATUS_CANCELLED when it was never handed over. It may run inside the call that sends, at DISPATCH_LEVEL, and must not wait.
#[derive(Clone, Copy, Debug)]
pub struct CallersBuffer {
    /// The datagram: a chain of MDLs over locked pages or nonpaged pool.
    pub buffer: WSK_BUF,
    /// What is told that the buffer is the caller's again.
    pub done: unsafe extern "C" fn(context: *mut c_void, status: NTSTATUS),
    /// What it is told it with.
    pub context: *mut c_void,
}

impl CallersBuffer {
    pub(crate) fn give_back(self, status: NTSTATUS) {
        // SAFETY: who pushed the buffer promised that the routine takes this context, once.
        unsafe { (self.done)(self.context, status) };
    }
}

/// The pool of send contexts with the bytes behind them.
pub(crate) struct SendPool<K: Kernel> {
    pub pool: Pool<SendContext<K>, K>,
    /// The longest datagram a context can hold.
    pub data_bytes: u32,
    /// MDL and bytes of each context; dropped after the pool, whose contexts point into it.
    _buffers: Buffers<K>,
}

/// Where the data begins behind the MDL, on a cache line of its own.
const DATA_ALIGN: usize = 64;

impl<K: Kernel> SendPool<K> {
    /// What [`SendPool::new`] asks of memory.
    pub(crate) fn bytes(config: &PoolConfig, data_bytes: u32) -> Result<usize, PoolError> {
        let slots = config.slots()?;
        let too_many = PoolError::TooManySlots(slots.into());
        let (_, size) = layout(data_bytes).ok_or(too_many)?;
        let buffers = Buffers::<K>::bytes(slots, size).ok_or(too_many)?;
        Pool::<SendContext<K>, K>::bytes(config)?.checked_add(buffers).ok_or(too_many)
    }

    /// Makes the pool and builds every IRP and MDL in place.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub(crate) fn new(kernel: &K, tag: Tag, config: &PoolConfig, data_bytes: u32) -> Result<Self, PoolError> {
        let slots = config.slots()?;
        let (offset, size) = layout(data_bytes).ok_or(PoolError::TooManySlots(slots.into()))?;
        let buffers = Buffers::new(kernel, tag, slots, size)?;
        let mut pool = Pool::new(kernel.clone(), tag, config, |index| {
            let start = buffers.at(index);
            // SAFETY: the buffer holds the MDL's room and then the data.
            let data = unsafe { start.add(offset) };
            SendContext::over(start.cast(), data)
        })?;
        for (_, context) in pool.slots_mut() {
            // SAFETY: the slot stays where it is for the pool's life, and holds no IRP in use.
            unsafe { kernel.io_initialize_irp(context.irp(), IO_SIZE_OF_IRP_1, 1) };
            let mdl = context.node.get_mut().Buffer.Mdl;
            let data = context.data.as_ptr().cast();
            // SAFETY: the buffer has room for an MDL over the data wherever that begins.
            unsafe { mm_initialize_mdl(mdl, data, data_bytes) };
            // SAFETY: initialised just now, over nonpaged memory.
            unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) };
        }
        Ok(Self { pool, data_bytes, _buffers: buffers })
    }

    /// A magazine for one shard.
    pub(crate) fn magazine(&self) -> Option<Magazine<SendContext<K>>> {
        self.pool.magazine()
    }
}

impl<K: Kernel> SendContext<K> {
    fn over(own: NonNull<MDL>, data: NonNull<u8>) -> Self {
        let buffer = WSK_BUF { Mdl: own.as_ptr(), Offset: 0, Length: 0 };
        Self {
            irp: UnsafeCell::new(bytemuck::Zeroable::zeroed()),
            node: UnsafeCell::new(WSK_BUF_LIST { Next: null_mut(), Buffer: buffer }),
            remote: UnsafeCell::new(SOCKADDR_INET::UNSPEC),
            control: UnsafeCell::new(Control::EMPTY),
            next: UnsafeCell::new(null_mut()),
            socket: UnsafeCell::new(core::ptr::null()),
            datagrams: UnsafeCell::new(0),
            ticket: AtomicU32::new(0),
            loan: UnsafeCell::new(Loan::None),
            own,
            data,
        }
    }
}

/// Where the data begins in a buffer, and how long the buffer is.
pub(crate) fn layout(data_bytes: u32) -> Option<(usize, usize)> {
    let offset = mdl_size_for_any_address(data_bytes as usize)?.next_multiple_of(DATA_ALIGN);
    Some((offset, offset.checked_add(data_bytes as usize)?))
}
