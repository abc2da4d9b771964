//! One datagram in the handler's hands, and its verdict.

// UNSAFETY: a datagram is met by address, and its bytes go where the host says.
#![expect(unsafe_code, reason = "a datagram is lent to a function in C for the time of a call")]

use core::ffi::c_void;
use core::ptr::{NonNull, null};

use skua_engine::abi::nt::MDL;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DELETE_PENDING, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_BUFFER_SIZE,
    STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_QUOTA_EXCEEDED,
    STATUS_SUCCESS,
};
use skua_engine::{Datagram, DropReason};
use skua_record::RecordFlags;

use crate::config::has_size;
use crate::endpoint::SKUA_ENDPOINT;
use crate::instance::Instance;
use crate::kernel::TableKernel;
use crate::retained::SKUA_RETAINED;

/// Sent to a broadcast address.
pub const SKUA_DATAGRAM_BROADCAST: u32 = 0x1;
/// Sent to a multicast group.
pub const SKUA_DATAGRAM_MULTICAST: u32 = 0x2;
/// The stack joined several datagrams, of which this is one.
pub const SKUA_DATAGRAM_COALESCED: u32 = 0x4;
/// Of a retained datagram: the provider's own memory is kept, not a copy.
pub const SKUA_DATAGRAM_LENT: u32 = 0x8;

/// One datagram of a batch. Its address is valid until the next call of SkuaNextDatagram, and in the handler only. The fields are the
/// library's to write, and SkuaCopyDatagram reads them.
#[repr(C)]
#[derive(Debug)]
pub struct SKUA_DATAGRAM {
    /// Where its first bytes lie, lent as SkuaDatagramData says. It means nothing where FirstBytes is 0.
    pub First: *const c_void,
    /// How many lie there in one piece: all, unless the stack has split the datagram. 0 after the verdict.
    pub FirstBytes: u32,
    /// Zero.
    pub Reserved: u32,
}

/// What lies behind the address of a [`SKUA_DATAGRAM`].
///
/// # Invariants
/// `shown` says what `datagram` is, for the caller: nothing here relies on it, for the caller can write there.
#[repr(C)]
pub(crate) struct Lent {
    shown: SKUA_DATAGRAM,
    /// The one that the handler looks at; none after its verdict.
    datagram: Option<Datagram<'static, 'static, TableKernel>>,
    instance: NonNull<Instance>,
}

impl Lent {
    pub(crate) fn none(instance: NonNull<Instance>) -> Self {
        let shown = SKUA_DATAGRAM { First: null(), FirstBytes: 0, Reserved: 0 };
        Self { shown, datagram: None, instance }
    }

    /// Puts `datagram` in the place of the one before.
    #[inline]
    pub(crate) fn hold(&mut self, datagram: Datagram<'static, 'static, TableKernel>) {
        let payload = datagram.payload();
        self.shown.First = payload.address().cast();
        self.shown.FirstBytes = payload.first_len();
        self.datagram = Some(datagram);
    }

    /// Takes the datagram out: its verdict is in, or its batch over.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Datagram<'static, 'static, TableKernel>> {
        self.shown.FirstBytes = 0;
        self.datagram.take()
    }
}

/// What is known of a datagram besides its bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_DATAGRAM_INFO {
    /// sizeof(SKUA_DATAGRAM_INFO), the caller's to set before.
    pub Size: u32,
    /// Bytes.
    pub Length: u32,
    /// Who sent it.
    pub Remote: SKUA_ENDPOINT,
    /// Where it was sent to: the address of the bind where the provider did not say.
    pub Local: SKUA_ENDPOINT,
    /// When it came, in ticks of the performance counter.
    pub Time: u64,
    /// SKUA_DATAGRAM_BROADCAST and the like.
    pub Flags: u32,
    /// The index of the interface it came in by; 0 where the provider did not say.
    pub Interface: u32,
    /// DSCP and ECN; 0 where the provider did not say.
    pub TypeOfService: u8,
    /// Time to live on arrival; 0 where the provider did not say, and for a retained datagram.
    pub HopLimit: u8,
    /// Zero.
    pub Reserved: [u8; 6],
}

pub(crate) fn flags(said: RecordFlags) -> u32 {
    let flag = |flag, value| if said.contains(flag) { value } else { 0 };
    flag(RecordFlags::BROADCAST, SKUA_DATAGRAM_BROADCAST)
        | flag(RecordFlags::MULTICAST, SKUA_DATAGRAM_MULTICAST)
        | flag(RecordFlags::COALESCED, SKUA_DATAGRAM_COALESCED)
}

/// The datagram at `datagram`, unless its verdict is in.
///
/// # Safety
/// `datagram` is null or what [`SkuaNextDatagram`](crate::SkuaNextDatagram) returned, in the same call of the handler.
#[inline]
unsafe fn lent<'a>(datagram: *const SKUA_DATAGRAM) -> Option<&'a Datagram<'static, 'static, TableKernel>> {
    // SAFETY: the caller's promise, and what lies behind such an address.
    unsafe { datagram.cast::<Lent>().as_ref() }.and_then(|lent| lent.datagram.as_ref())
}

/// Bytes of the datagram; 0 after its verdict.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// # Safety
/// `Datagram` is null or what SkuaNextDatagram returned last.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaDatagramLength(Datagram: *const SKUA_DATAGRAM) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "at most 65,535")]
    // SAFETY: the caller's promise.
    unsafe { lent(Datagram) }.map_or(0, |datagram| datagram.payload().len() as u32)
}

/// Where the bytes lie, if they lie in one piece: SkuaDatagramLength of them. NULL otherwise, and after the verdict: SkuaCopyDatagram
/// copies them.
///
/// The memory is lent. A network card or a sender on the same machine may still write there: read each byte once, and never write.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// # Safety
/// As for [`SkuaDatagramLength`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaDatagramData(Datagram: *const SKUA_DATAGRAM) -> *const c_void {
    // SAFETY: the caller's promise.
    match unsafe { lent(Datagram) }.map(|datagram| datagram.payload()) {
        Some(payload) if payload.is_contiguous() => payload.address().cast(),
        _ => null(),
    }
}

/// Copies bytes of the datagram, from Offset on, to Buffer, wherever they lie: as many as there are, at most Bytes. Returns how many.
/// SkuaCopyDatagram does the same, and calls this where they do not lie in the first piece.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// # Safety
/// As for [`SkuaDatagramLength`]. `Buffer` is writable for `Bytes`, and none of it is lent memory.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaGatherDatagram(
    Datagram: *const SKUA_DATAGRAM,
    Offset: u32,
    Buffer: *mut c_void,
    Bytes: u32,
) -> u32 {
    // SAFETY: the caller's promise.
    let Some(datagram) = (unsafe { lent(Datagram) }) else { return 0 };
    // SAFETY: the caller's promise.
    unsafe { copy(&datagram.payload(), Offset, Buffer, Bytes) }
}

/// # Safety
/// `to` is null or writable for `bytes`.
pub(crate) unsafe fn copy(payload: &skua_engine::Payload<'_>, skip: u32, to: *mut c_void, bytes: u32) -> u32 {
    if to.is_null() {
        return 0;
    }
    let room = (bytes as usize).min(payload.len().saturating_sub(skip as usize));
    #[expect(clippy::cast_possible_truncation, reason = "at most `bytes`")]
    if skip == 0 {
        // SAFETY: the caller's promise.
        (unsafe { payload.copy_to_ptr(to.cast(), room) }) as u32
    } else {
        // SAFETY: writable for `room` at least. The bytes may be uninitialised, which C does not tell from others; they are written
        // and not read.
        let to = unsafe { core::slice::from_raw_parts_mut(to.cast::<u8>(), room) };
        payload.copy_from(skip as usize, to) as u32
    }
}

/// The MDL chain that the datagram lies in, and where in its first MDL it begins: for a host that passes chains on in the handler. The
/// chain is lent until the handler returns.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// Returns STATUS_INVALID_DEVICE_STATE after the verdict, STATUS_NOT_SUPPORTED for a datagram of a filter's list and for part of a
/// coalesced buffer, STATUS_INVALID_PARAMETER for NULL.
///
/// # Safety
/// As for [`SkuaDatagramLength`]. `Mdl` and `Offset` are null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaDatagramBuffer(
    Datagram: *const SKUA_DATAGRAM,
    Mdl: *mut *mut MDL,
    Offset: *mut u32,
) -> NTSTATUS {
    if Datagram.is_null() || Mdl.is_null() || Offset.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the caller's promise.
    let Some(datagram) = (unsafe { lent(Datagram) }) else { return STATUS_INVALID_DEVICE_STATE };
    let Some(buffer) = datagram.buffer() else { return STATUS_NOT_SUPPORTED };
    // SAFETY: not null, so the caller's.
    unsafe { Mdl.write(buffer.Mdl) };
    // SAFETY: as above.
    unsafe { Offset.write(buffer.Offset) };
    STATUS_SUCCESS
}

/// Everything that is known of the datagram. Info->Size is the caller's to set before.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// Returns STATUS_INVALID_DEVICE_STATE after the verdict, STATUS_INFO_LENGTH_MISMATCH for an unknown Size,
/// STATUS_INVALID_PARAMETER for NULL.
///
/// # Safety
/// As for [`SkuaDatagramLength`]. `Info` is null or a writable structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaDescribeDatagram(
    Datagram: *const SKUA_DATAGRAM,
    Info: *mut SKUA_DATAGRAM_INFO,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    if let Err(status) = unsafe { has_size(Info) } {
        return status;
    }
    if Datagram.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the caller's promise.
    let Some(datagram) = (unsafe { lent(Datagram) }) else { return STATUS_INVALID_DEVICE_STATE };
    #[expect(clippy::cast_possible_truncation, reason = "a few bytes, and at most 65,535")]
    let info = SKUA_DATAGRAM_INFO {
        Size: size_of::<SKUA_DATAGRAM_INFO>() as u32,
        Length: datagram.payload().len() as u32,
        Remote: datagram.remote().into(),
        Local: datagram.local().into(),
        Time: datagram.time(),
        Flags: flags(datagram.flags()),
        Interface: datagram.interface(),
        TypeOfService: datagram.type_of_service(),
        HopLimit: datagram.hop_limit(),
        Reserved: [0; 6],
    };
    // SAFETY: writable, and of this size.
    unsafe { Info.write(info) };
    STATUS_SUCCESS
}

/// The verdict that the datagram goes no further; it is counted under Reason.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// Returns STATUS_INVALID_DEVICE_STATE where the verdict is in already, STATUS_INVALID_PARAMETER for NULL and for a reason that is none.
///
/// # Safety
/// As for [`SkuaDatagramLength`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaDrop(Datagram: *mut SKUA_DATAGRAM, Reason: u32) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let Some(lent) = (unsafe { Datagram.cast::<Lent>().as_mut() }) else { return STATUS_INVALID_PARAMETER };
    let Some(&reason) = DropReason::ALL.get(Reason as usize) else { return STATUS_INVALID_PARAMETER };
    let Some(datagram) = lent.take() else { return STATUS_INVALID_DEVICE_STATE };
    datagram.refuse(reason);
    STATUS_SUCCESS
}

/// The verdict that the datagram is kept beyond the handler, under the number that it writes to Retained.
///
/// Within the budget (RetainDatagrams, RetainBytes) the provider's memory itself is kept: a few, and not for long, for the stack below
/// has no other. Beyond it the bytes are copied, if the engine was opened with SKUA_COPY_BEYOND_BUDGET. Each number is given back once,
/// by SkuaRelease or SkuaSendRetained, on any thread; SkuaCloseSocket and SkuaClose wait for that.
///
/// IRQL: DISPATCH_LEVEL, in the handler.
///
/// Returns, where the datagram is not kept but dropped: STATUS_QUOTA_EXCEEDED beyond the budget, STATUS_INSUFFICIENT_RESOURCES
/// without a slot, STATUS_INVALID_BUFFER_SIZE for one that is longer than a slot, STATUS_DELETE_PENDING while its socket closes. And
/// STATUS_INVALID_DEVICE_STATE where the verdict is in already, STATUS_INVALID_PARAMETER for NULL.
///
/// # Safety
/// As for [`SkuaDatagramLength`]. `Retained` is null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaRetain(Datagram: *mut SKUA_DATAGRAM, Retained: *mut SKUA_RETAINED) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let Some(lent) = (unsafe { Datagram.cast::<Lent>().as_mut() }) else { return STATUS_INVALID_PARAMETER };
    if Retained.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let Some(datagram) = lent.take() else { return STATUS_INVALID_DEVICE_STATE };
    let kept = match datagram.retain() {
        Ok(kept) => kept,
        Err(DropReason::NoSlot) => return STATUS_INSUFFICIENT_RESOURCES,
        Err(DropReason::Oversize) => return STATUS_INVALID_BUFFER_SIZE,
        Err(DropReason::Closing) => return STATUS_DELETE_PENDING,
        Err(_) => return STATUS_QUOTA_EXCEEDED,
    };
    // SAFETY: written before the first socket was opened, hence before the first batch.
    let instance = unsafe { lent.instance.as_ref() };
    // There is a place for each that the budget allows; what finds none goes back at once.
    let Some(Ok(number)) = instance.retained.as_ref().map(|table| table.insert(kept)) else {
        return STATUS_INSUFFICIENT_RESOURCES;
    };
    // SAFETY: not null, so the caller's.
    unsafe { Retained.write(SKUA_RETAINED { Value: number }) };
    STATUS_SUCCESS
}
