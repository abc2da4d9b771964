//! Sending.

// UNSAFETY: reads the caller's bytes, and passes its MDLs on.
#![expect(unsafe_code, reason = "memory of the caller's is met by address")]

use core::ffi::c_void;
use core::net::SocketAddr;

use skua_engine::abi::nt::MDL;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DELETE_PENDING, STATUS_DEVICE_BUSY, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_BUFFER_SIZE, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::WSK_BUF;
use skua_engine::{CallersBuffer, SendError, SendOptions};

use crate::config::sized;
use crate::endpoint::{self, SKUA_ENDPOINT};
use crate::engine::{SKUA_ENGINE, enter};
use crate::retained::SKUA_RETAINED;
use crate::socket::SKUA_SOCKET;

/// Source and Interface count.
pub const SKUA_SEND_SOURCE: u32 = 0x1;
/// TypeOfService counts.
pub const SKUA_SEND_TYPE_OF_SERVICE: u32 = 0x2;
/// HopLimit counts.
pub const SKUA_SEND_HOP_LIMIT: u32 = 0x4;
/// Segment counts.
pub const SKUA_SEND_SEGMENT: u32 = 0x8;

const FLAGS: u32 = SKUA_SEND_SOURCE | SKUA_SEND_TYPE_OF_SERVICE | SKUA_SEND_HOP_LIMIT | SKUA_SEND_SEGMENT;

/// What is said of a datagram besides its bytes.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_SEND_OPTIONS {
    /// sizeof(SKUA_SEND_OPTIONS).
    pub Size: u32,
    /// Which of the fields count: SKUA_SEND_SOURCE and the like.
    pub Flags: u32,
    /// The address to send from, of the destination's family; its port does not matter.
    pub Source: SKUA_ENDPOINT,
    /// The index of the interface to send by; 0: by route.
    pub Interface: u32,
    /// Cut each buffer into datagrams of so many bytes, where the stack can.
    pub Segment: u32,
    /// DSCP and ECN.
    pub TypeOfService: u8,
    /// Time to live.
    pub HopLimit: u8,
    /// Zero.
    pub Reserved: [u8; 6],
}

/// The bytes of one datagram.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SKUA_BUFFER {
    /// Where they lie; may be NULL where there is none.
    pub Data: *const c_void,
    /// How many.
    pub Bytes: u32,
    /// Zero.
    pub Reserved: u32,
}

/// Is told that memory of the caller's is the caller's again, and how the send of it ended.
///
/// IRQL: at most DISPATCH_LEVEL, on any thread, perhaps inside the call that sends. It must not wait.
pub type SKUA_SENT = Option<unsafe extern "C" fn(Context: *mut c_void, Status: NTSTATUS)>;

pub(crate) fn status(error: SendError) -> NTSTATUS {
    match error {
        SendError::Closing => STATUS_DELETE_PENDING,
        SendError::NoSlot => STATUS_INSUFFICIENT_RESOURCES,
        SendError::Oversize { .. } => STATUS_INVALID_BUFFER_SIZE,
        SendError::Refused(status) => status,
        _ => STATUS_INVALID_PARAMETER,
    }
}

/// # Safety
/// `remote` is null or an endpoint, `options` null or a structure of its Size.
#[inline]
pub(crate) unsafe fn destination(
    remote: *const SKUA_ENDPOINT,
    options: *const SKUA_SEND_OPTIONS,
) -> Result<(SocketAddr, SendOptions), NTSTATUS> {
    // SAFETY: the caller's promise.
    let remote = unsafe { remote.as_ref() }.ok_or(STATUS_INVALID_PARAMETER)?.to_socket_addr()?;
    if options.is_null() {
        return Ok((remote, SendOptions::default()));
    }
    // SAFETY: the caller's promise.
    let said = unsafe { sized(options) }?;
    if said.Flags & !FLAGS != 0 {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let has = |flag| said.Flags & flag != 0;
    let source = match has(SKUA_SEND_SOURCE) {
        true => Some((endpoint::address(said.Source.Family, &said.Source.Address)?, said.Interface)),
        false => None,
    };
    let options = SendOptions {
        source,
        type_of_service: has(SKUA_SEND_TYPE_OF_SERVICE).then_some(said.TypeOfService),
        hop_limit: has(SKUA_SEND_HOP_LIMIT).then_some(said.HopLimit),
        segment: has(SKUA_SEND_SEGMENT).then_some(said.Segment),
    };
    Ok((remote, options))
}

impl SKUA_BUFFER {
    /// # Safety
    /// `Data` has `Bytes` bytes that stay as they are for `'a`.
    unsafe fn bytes<'a>(self) -> Result<&'a [u8], NTSTATUS> {
        if self.Bytes == 0 {
            return Ok(&[]);
        }
        if self.Data.is_null() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: the caller's promise.
        Ok(unsafe { core::slice::from_raw_parts(self.Data.cast(), self.Bytes as usize) })
    }
}

/// Sends a copy of Bytes at Data to Remote. Options may be NULL.
///
/// Success says that the datagram was handed over; how it ended, SkuaQueryStatistics tells.
///
/// IRQL: at most DISPATCH_LEVEL, also in a handler.
///
/// Returns STATUS_INSUFFICIENT_RESOURCES when every send slot is under way, STATUS_INVALID_BUFFER_SIZE for more than SendBytes,
/// STATUS_DELETE_PENDING while the socket or the engine closes, STATUS_INVALID_HANDLE for a number that names no socket,
/// STATUS_INVALID_PARAMETER for NULL and for an address of another family, STATUS_INFO_LENGTH_MISMATCH for an unknown Size of Options; or
/// what the provider answered.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Remote` is null or an endpoint; `Data` has `Bytes` bytes; `Options` is null or a structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaSend(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    Remote: *const SKUA_ENDPOINT,
    Data: *const c_void,
    Bytes: u32,
    Options: *const SKUA_SEND_OPTIONS,
) -> NTSTATUS {
    let send = || {
        // SAFETY: the caller's promise.
        let (remote, options) = unsafe { destination(Remote, Options) }?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { SKUA_BUFFER { Data, Bytes, Reserved: 0 }.bytes() }?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        inside.is_open()?;
        inside.with_socket(Socket, |socket| socket.send(remote, bytes, &options).map_err(status))
    };
    send().err().unwrap_or(STATUS_SUCCESS)
}

/// Sends copies of Count datagrams to one destination by one call of the stack (WskSendMessages). Sent, which may be NULL, is how many
/// were handed over: the first ones.
///
/// IRQL: at most DISPATCH_LEVEL, also in a handler.
///
/// Returns as SkuaSend: why the first that was not handed over was not.
///
/// # Safety
/// As for [`SkuaSend`]. `Buffers` has `Count` elements, each with its bytes; `Sent` is null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaSendMessages(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    Remote: *const SKUA_ENDPOINT,
    Buffers: *const SKUA_BUFFER,
    Count: u32,
    Options: *const SKUA_SEND_OPTIONS,
    Sent: *mut u32,
) -> NTSTATUS {
    let mut sent = 0;
    let mut send = || {
        // SAFETY: the caller's promise.
        let (remote, options) = unsafe { destination(Remote, Options) }?;
        if Count != 0 && (Buffers.is_null() || !Buffers.is_aligned()) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        inside.is_open()?;
        inside.with_socket(Socket, |socket| {
            let handed = socket.send_batch(remote, &options, |batch| {
                (0..Count as usize).try_for_each(|index| {
                    // SAFETY: below `Count`.
                    let buffer = unsafe { Buffers.add(index) };
                    // SAFETY: the caller's promise.
                    let buffer = unsafe { buffer.read() };
                    // SAFETY: the caller's promise.
                    let bytes = unsafe { buffer.bytes() }?;
                    batch.push(bytes).map_err(status)
                })
            });
            let (refused, count) = handed.map_err(status)?;
            sent = u32::try_from(count).unwrap_or(Count);
            refused
        })
    };
    let status = send().err().unwrap_or(STATUS_SUCCESS);
    // SAFETY: the caller's promise.
    if let Some(to) = unsafe { Sent.as_mut() } {
        *to = sent;
    }
    status
}

/// Sends Bytes of a chain of the caller's MDLs, from Offset of the first on, as they are: nothing is copied.
///
/// Done is called once with Context for every call of this function, also for one that fails, when the memory is the caller's again: with
/// the status that the send ended with, or that this returns. Until then the chain and the memory stay as they are.
///
/// IRQL: at most DISPATCH_LEVEL, also in a handler.
///
/// Returns as SkuaSend, with STATUS_INVALID_BUFFER_SIZE for more than 65,535 bytes. Without Done, STATUS_INVALID_PARAMETER.
///
/// # Safety
/// As for [`SkuaSend`]. The chain describes locked pages or nonpaged pool, `Bytes` of it from `Offset` on, which lies in the first MDL.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaSendMdl(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    Remote: *const SKUA_ENDPOINT,
    Mdl: *mut MDL,
    Offset: u32,
    Bytes: u32,
    Options: *const SKUA_SEND_OPTIONS,
    Done: SKUA_SENT,
    Context: *mut c_void,
) -> NTSTATUS {
    let Some(done) = Done else { return STATUS_INVALID_PARAMETER };
    let mut is_taken = false;
    let mut send = || {
        if Mdl.is_null() {
            return Err(STATUS_INVALID_PARAMETER);
        }
        // SAFETY: the caller's promise.
        let (remote, options) = unsafe { destination(Remote, Options) }?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        inside.is_open()?;
        let buffer = WSK_BUF { Mdl, Offset, Length: Bytes as usize };
        let buffer = CallersBuffer { buffer, done, context: Context };
        inside.with_socket(Socket, |socket| {
            let handed = socket.send_batch(remote, &options, |batch| {
                // SAFETY: the caller's promise.
                let pushed = unsafe { batch.push_buffer(buffer) };
                is_taken = pushed.is_ok();
                pushed
            });
            handed.and_then(|(pushed, _)| pushed).map_err(status)
        })
    };
    let status = send().err().unwrap_or(STATUS_SUCCESS);
    if !is_taken {
        // SAFETY: the caller's routine, called once: nobody else has it.
        unsafe { done(Context, status) };
    }
    status
}

/// Sends a retained datagram on, and gives it back: its own memory where that is lent and the engine was opened with SKUA_SEND_LENT, and
/// then when the send completes; else a copy, and then at once.
///
/// IRQL: at most DISPATCH_LEVEL, also in a handler.
///
/// Returns as SkuaSend; STATUS_INVALID_HANDLE also for a datagram that was given back before; STATUS_DEVICE_BUSY where another thread
/// copies from it at this moment, and then it is given back and not sent. Whatever this returns, Retained names nothing any more,
/// unless it is STATUS_INVALID_PARAMETER or STATUS_INFO_LENGTH_MISMATCH for the arguments, an address of another family than the
/// socket's among them: then it is to be sent again or released. SkuaRelease after any failure does no harm.
///
/// # Safety
/// As for [`SkuaSend`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaSendRetained(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    Remote: *const SKUA_ENDPOINT,
    Retained: SKUA_RETAINED,
    Options: *const SKUA_SEND_OPTIONS,
) -> NTSTATUS {
    let send = || {
        // SAFETY: the caller's promise.
        let (remote, options) = unsafe { destination(Remote, Options) }?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let mut is_taken = false;
        let sent = inside.is_open().and_then(|()| {
            inside.with_socket(Socket, |socket| {
                // Taken where the arguments are known to be good.
                let handed = socket.send_batch(remote, &options, |batch| {
                    is_taken = true;
                    let retained = inside.take_retained(Retained)?.ok_or(STATUS_DEVICE_BUSY)?;
                    batch.push_retained(retained).map_err(status)
                });
                handed.map_err(status)?.0
            })
        });
        if !is_taken && sent.is_err_and(|status| status != STATUS_INVALID_PARAMETER) {
            // Given back, unless the number names none.
            let _released = inside.take_retained(Retained);
        }
        sent
    };
    send().err().unwrap_or(STATUS_SUCCESS)
}
