//! The handler in C, and what it is handed.

// UNSAFETY: calls the host's function, and lends it a batch by address.
#![expect(unsafe_code, reason = "a batch is lent to a function in C for the time of a call")]

use core::ffi::c_void;
use core::mem::transmute;
use core::ptr::{NonNull, null_mut};

use skua_engine::{Batch, Datagram, Handler, Passive};

use crate::datagram::{Lent, SKUA_DATAGRAM};
use crate::instance::Instance;
use crate::kernel::TableKernel;

/// The host's function as a [`Handler`].
pub(crate) struct CallbackHandler {
    pub(crate) receive: unsafe extern "C" fn(*mut c_void, *mut SKUA_BATCH),
    pub(crate) context: *mut c_void,
    /// Where the engine will be; it is when the first batch comes.
    pub(crate) instance: NonNull<Instance>,
    /// What the host keeps for each processor, `each` bytes apart.
    pub(crate) memory: NonNull<u8>,
    pub(crate) each: usize,
}

// SAFETY: the host's function is called on several threads at once, as SKUA_RECEIVE says.
unsafe impl Send for CallbackHandler {}
// SAFETY: as for Send.
unsafe impl Sync for CallbackHandler {}

/// Up to 32 datagrams of one socket, in the order of the wire.
///
/// # Invariants
/// It lies in a shard of the engine. `batch` is null between calls of the handler. During one the host holds its address, and that of
/// `datagram`: what changes it goes by the place, and makes no exclusive reference to the whole.
pub struct SKUA_BATCH {
    batch: *mut Batch<'static, TableKernel>,
    datagram: Lent,
    length: u32,
    processor: u32,
    socket: u16,
    local_port: u16,
    memory: *mut u8,
}

// SAFETY: its addresses are used by the one thread that holds the shard.
unsafe impl Send for SKUA_BATCH {}

impl Handler<TableKernel> for CallbackHandler {
    type Shard = SKUA_BATCH;

    fn shard(&self, processor: u32, _passive: &Passive<'_>) -> SKUA_BATCH {
        // SAFETY: the memory was taken for all processors.
        let memory = unsafe { self.memory.add(self.each * processor as usize) };
        SKUA_BATCH {
            batch: null_mut(),
            datagram: Lent::none(self.instance),
            length: 0,
            processor,
            socket: 0,
            local_port: 0,
            memory: if self.each == 0 { null_mut() } else { memory.as_ptr() },
        }
    }

    #[inline]
    fn receive(&self, shard: &mut SKUA_BATCH, batch: &mut Batch<'_, TableKernel>) {
        #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
        let length = batch.len() as u32;
        shard.length = length;
        shard.socket = batch.socket();
        shard.local_port = batch.local_port();
        shard.batch = core::ptr::from_mut(batch).cast();
        let lent = &raw mut *shard;
        // SAFETY: the host's function, as SkuaOpen was given it. The batch stays until it returns.
        unsafe { (self.receive)(self.context, lent) };
        let _consumed = shard.datagram.take();
        shard.batch = null_mut();
    }
}

/// The batch at `batch`, if that is one, for a look at it.
///
/// # Safety
/// `batch` is null or was given to a handler of an engine that is open, and this is that handler's call. The reference is gone before
/// the next call with the batch.
#[inline]
unsafe fn lent<'a>(batch: *const SKUA_BATCH) -> Option<&'a SKUA_BATCH> {
    // SAFETY: the caller's promise.
    unsafe { batch.as_ref() }
}

/// The next datagram of a batch, NULL behind the last. The one before is consumed, unless it was dropped or retained, and its address
/// means this one from now on.
///
/// IRQL: DISPATCH_LEVEL, in the handler. Outside of it, NULL.
///
/// # Safety
/// `Batch` is null or what the handler was called with.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaNextDatagram(Batch: *mut SKUA_BATCH) -> *mut SKUA_DATAGRAM {
    // SAFETY: the caller's promise.
    let Some(batch) = (unsafe { lent(Batch) }).map(|lent| lent.batch) else { return null_mut() };
    // SAFETY: the caller's promise: a place in the batch.
    let place = unsafe { &raw mut (*Batch).datagram };
    // SAFETY: null, or the batch of the call that is under way. The datagram before, which borrowed it, is not used again.
    let next = unsafe { batch.as_mut() }.and_then(Batch::next_datagram);
    let Some(next) = next else {
        // SAFETY: the caller's promise.
        return unsafe { over(place) };
    };
    // SAFETY: the same type. It is dropped before the batch is used again, and before the call ends.
    let next =
        unsafe { transmute::<Datagram<'_, '_, TableKernel>, Datagram<'static, 'static, TableKernel>>(next) };
    // SAFETY: the place is the library's, and nobody else looks at it during this call.
    unsafe { &mut *place }.hold(next);
    place.cast()
}

/// The last datagram is consumed, where it has no verdict.
///
/// # Safety
/// `place` is a batch's, and this a call with that batch.
#[cold]
#[inline(never)]
unsafe fn over(place: *mut Lent) -> *mut SKUA_DATAGRAM {
    // SAFETY: the caller's promise: nobody else looks at it meanwhile.
    let _consumed = unsafe { &mut *place }.take();
    null_mut()
}

/// How many datagrams the batch began with.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// # Safety
/// As for [`SkuaNextDatagram`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaBatchLength(Batch: *mut SKUA_BATCH) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { lent(Batch) }.map_or(0, |lent| lent.length)
}

/// The index of the processor that the handler runs on.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// # Safety
/// As for [`SkuaNextDatagram`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaBatchProcessor(Batch: *mut SKUA_BATCH) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { lent(Batch) }.map_or(0, |lent| lent.processor)
}

/// The Id that the socket or source was opened with.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// # Safety
/// As for [`SkuaNextDatagram`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaBatchSocket(Batch: *mut SKUA_BATCH) -> u16 {
    // SAFETY: the caller's promise.
    unsafe { lent(Batch) }.map_or(0, |lent| lent.socket)
}

/// The port that the socket is bound to.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// # Safety
/// As for [`SkuaNextDatagram`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaBatchLocalPort(Batch: *mut SKUA_BATCH) -> u16 {
    // SAFETY: the caller's promise.
    unsafe { lent(Batch) }.map_or(0, |lent| lent.local_port)
}

/// The HandlerBytes of this processor, aligned to 64 bytes and zero at first; NULL if HandlerBytes is 0. No lock is needed to use them in
/// the handler.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// # Safety
/// As for [`SkuaNextDatagram`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaBatchMemory(Batch: *mut SKUA_BATCH) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { lent(Batch) }.map_or(null_mut(), |lent| lent.memory.cast())
}
