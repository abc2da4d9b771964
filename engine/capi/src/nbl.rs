//! Lists of a filter's.

// UNSAFETY: walks lists that the filter lends.
#![expect(unsafe_code, reason = "lists are met by address")]

use core::ffi::c_void;
use core::ptr::NonNull;

use skua_engine::Passive;
use skua_engine::abi::ndis::{NET_BUFFER, NET_BUFFER_LIST};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DELETE_PENDING, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT,
    STATUS_QUOTA_EXCEEDED, STATUS_SUCCESS,
};
use skua_engine::nbl::{Drain, NblFacts, NblList, NblSource, Reserved};
use skua_record::RecordFlags;

use crate::close::Until;
use crate::config::sized;
use crate::datagram::{SKUA_DATAGRAM_BROADCAST, SKUA_DATAGRAM_MULTICAST};
use crate::endpoint::SKUA_ENDPOINT;
use crate::engine::{SKUA_ENGINE, enter};
use crate::handler::CallbackHandler;
use crate::instance::Instance;
use crate::kernel::TableKernel;
use crate::send::{SKUA_SEND_OPTIONS, SKUA_SENT, destination, status};
use crate::socket::SKUA_SOCKET;

/// The nodes of a send go into ProtocolReserved of each NET_BUFFER: for the driver that made them.
pub const SKUA_PROTOCOL_RESERVED: u32 = 0;
/// The nodes of a send go into MiniportReserved of each NET_BUFFER: for the driver at the bottom while it has them.
pub const SKUA_MINIPORT_RESERVED: u32 = 1;

/// A source of datagrams that is a filter: a number that names it until it is drained. Zero names none.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_SOURCE {
    /// The library's.
    pub Value: u64,
}

/// What all datagrams of a chain of lists have in common.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_NBL_INFO {
    /// sizeof(SKUA_NBL_INFO).
    pub Size: u32,
    /// Bytes from where the used data of each NET_BUFFER begins to the payload: 8 where the data begins with the UDP header.
    pub HeaderBytes: u32,
    /// Who sent them.
    pub Remote: SKUA_ENDPOINT,
    /// Where they were sent to.
    pub Local: SKUA_ENDPOINT,
    /// SKUA_DATAGRAM_BROADCAST, SKUA_DATAGRAM_MULTICAST.
    pub Flags: u32,
    /// The index of the interface they came in by.
    pub Interface: u32,
    /// DSCP and ECN.
    pub TypeOfService: u8,
    /// Time to live on arrival.
    pub HopLimit: u8,
    /// Zero.
    pub Reserved: [u8; 6],
}

/// Is told of each datagram that the engine or the handler dropped, before SkuaReceiveNbl returns: a filter blocks it, say.
///
/// IRQL: DISPATCH_LEVEL. It must not wait.
pub type SKUA_REFUSED =
    Option<unsafe extern "C" fn(Context: *mut c_void, List: *mut NET_BUFFER_LIST, Buffer: *mut NET_BUFFER)>;

/// What a number of a source names.
pub(crate) enum Source {
    Open(NblSource<TableKernel, CallbackHandler>),
    /// Stopped, with something out at the last deadline.
    Draining(Drain<TableKernel, CallbackHandler>),
}

/// Opens a source for the lists of a filter, before the filter is registered. Id is what SkuaBatchSocket says of its datagrams.
///
/// IRQL: PASSIVE_LEVEL.
///
/// Returns STATUS_QUOTA_EXCEEDED for more than MaxSources, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER for NULL,
/// STATUS_DELETE_PENDING while the engine closes, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL, STATUS_INSUFFICIENT_RESOURCES.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Source` is null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaOpenSource(
    Engine: *mut SKUA_ENGINE,
    Id: u16,
    Source: *mut SKUA_SOURCE,
) -> NTSTATUS {
    let open = || {
        // SAFETY: the caller's promise.
        let to = unsafe { Source.as_mut() }.ok_or(STATUS_INVALID_PARAMETER)?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let passive = inside.passive()?;
        // So that none is opened while the engine closes.
        let _configuring = inside.configure()?;
        inside.is_open()?;
        let table = inside.sources.as_ref().ok_or(STATUS_QUOTA_EXCEEDED)?;
        let source = inside.engine.open_nbl_source(Id, &passive).map_err(|error| error.status())?;
        let number = table.insert(Source::Open(source)).map_err(|_full| STATUS_QUOTA_EXCEEDED)?;
        to.Value = number;
        Ok(())
    };
    open().err().unwrap_or(STATUS_SUCCESS)
}

/// Hands each datagram in a chain of lists to the handler, in place. Count, which may be NULL, is how many there were. On return the lists are
/// the filter's again: what the handler retains of them is copied.
///
/// IRQL: at most DISPATCH_LEVEL.
///
/// Returns STATUS_DELETE_PENDING when the source was drained with something outstanding, and then nothing was looked at.
/// STATUS_INVALID_HANDLE for a number that names no source, STATUS_INFO_LENGTH_MISMATCH for an unknown Size, STATUS_INVALID_PARAMETER for
/// NULL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says. `List` is null or a chain that is the caller's for the call, whose MDLs describe locked pages or
/// nonpaged pool. `Info` is null or a structure of its Size; `Count` is null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaReceiveNbl(
    Engine: *mut SKUA_ENGINE,
    Source: SKUA_SOURCE,
    List: *mut NET_BUFFER_LIST,
    Info: *const SKUA_NBL_INFO,
    Refused: SKUA_REFUSED,
    Context: *mut c_void,
    Count: *mut u64,
) -> NTSTATUS {
    let receive = || {
        // SAFETY: the caller's promise.
        let facts = unsafe { sized(Info) }?.facts()?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let table = inside.sources.as_ref().ok_or(STATUS_INVALID_HANDLE)?;
        let used = table.enter(Source.Value).ok_or(STATUS_INVALID_HANDLE)?;
        let Some(Source::Open(source)) = used.get() else { return Err(STATUS_DELETE_PENDING) };
        let refuse = |list: NonNull<NET_BUFFER_LIST>, buffer: NonNull<NET_BUFFER>| {
            if let Some(refused) = Refused {
                // SAFETY: the caller's routine, with what it lent.
                unsafe { refused(Context, list.as_ptr(), buffer.as_ptr()) }
            }
        };
        // SAFETY: the caller's promise.
        let count = unsafe { source.receive(List, &facts, refuse) };
        // SAFETY: the caller's promise.
        if let Some(to) = unsafe { Count.as_mut() } {
            *to = count;
        }
        Ok(())
    };
    receive().err().unwrap_or(STATUS_SUCCESS)
}

impl SKUA_NBL_INFO {
    fn facts(&self) -> Result<NblFacts, NTSTATUS> {
        let mut flags = RecordFlags::empty();
        flags.set(RecordFlags::BROADCAST, self.Flags & SKUA_DATAGRAM_BROADCAST != 0);
        flags.set(RecordFlags::MULTICAST, self.Flags & SKUA_DATAGRAM_MULTICAST != 0);
        Ok(NblFacts {
            header_bytes: self.HeaderBytes,
            remote: self.Remote.to_socket_addr()?.into(),
            local: self.Local.to_socket_addr()?.into(),
            interface: self.Interface,
            type_of_service: self.TypeOfService,
            hop_limit: self.HopLimit,
            flags,
        })
    }
}

/// Turns away what comes by a source from now on, counted as SKUA_DROP_CLOSING. Called before the filter is unregistered
/// (FwpsCalloutUnregisterById, NdisFDeregisterFilterDriver), whose end says that no callback is under way; SkuaDrainSource after it.
///
/// IRQL: at most DISPATCH_LEVEL.
///
/// Returns STATUS_INVALID_HANDLE for a number that names no source.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaStopSource(Engine: *mut SKUA_ENGINE, Source: SKUA_SOURCE) -> NTSTATUS {
    let stop = || {
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let table = inside.sources.as_ref().ok_or(STATUS_INVALID_HANDLE)?;
        let used = table.enter(Source.Value).ok_or(STATUS_INVALID_HANDLE)?;
        if let Some(Source::Open(source)) = used.get() {
            source.turn_away();
        }
        Ok(())
    };
    stop().err().unwrap_or(STATUS_SUCCESS)
}

/// Waits until every datagram that a handler retained of a source has come back, and ends the source.
///
/// Waits at most so many milliseconds, 0xFFFFFFFF without limit. Past that the source is still there, turns away what comes, and may have
/// another number, which is written to Source.
///
/// IRQL: PASSIVE_LEVEL, after the filter is unregistered. Not in a handler.
///
/// Returns STATUS_IO_TIMEOUT when something is outstanding at the deadline, STATUS_INVALID_HANDLE for a number that names no source,
/// STATUS_INVALID_PARAMETER for NULL, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Source` is null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaDrainSource(
    Engine: *mut SKUA_ENGINE,
    Source: *mut SKUA_SOURCE,
    Milliseconds: u32,
) -> NTSTATUS {
    let end = || {
        // SAFETY: the caller's promise.
        let number = unsafe { Source.as_mut() }.ok_or(STATUS_INVALID_PARAMETER)?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let passive = inside.passive()?;
        let until = Until::after(inside.kernel, Milliseconds);
        number.Value = drain(&inside, number.Value, until, &passive)?;
        if number.Value == 0 { Ok(()) } else { Err(STATUS_IO_TIMEOUT) }
    };
    end().err().unwrap_or(STATUS_SUCCESS)
}

/// Drains a source; its number from now on, 0 when it is gone.
fn drain(instance: &Instance, number: u64, until: Until, passive: &Passive<'_>) -> Result<u64, NTSTATUS> {
    let table = instance.sources.as_ref().ok_or(STATUS_INVALID_HANDLE)?;
    let taken = table.take_when_idle(number, until.units()).map_err(|_none| STATUS_INVALID_HANDLE)?;
    let drain = match taken {
        Some(Source::Open(source)) => source.stop(),
        Some(Source::Draining(drain)) => drain,
        // A call that has not returned ends it.
        None => return Err(STATUS_IO_TIMEOUT),
    };
    match drain.wait(until.duration(), passive) {
        Ok(()) => Ok(0),
        // There is room: its place is free.
        Err(drain) => table.insert(Source::Draining(drain)).map_err(|_full| STATUS_IO_TIMEOUT),
    }
}

/// Drains every source; whether none is left.
pub(crate) fn drain_all(instance: &Instance, until: Until, passive: &Passive<'_>) -> bool {
    let Some(table) = instance.sources.as_ref() else { return true };
    let mut all = true;
    // Those that do not drain get other numbers, in places that were passed or not: each is met at least once.
    for number in table.numbers() {
        all &= drain(instance, number, until, passive) == Ok(0);
    }
    all
}

/// Sends the datagrams of network buffer lists by one call of the stack, out of their own memory. HeaderBytes of the used data of each
/// NET_BUFFER are not sent. Reserved says whose reserved bytes hold the nodes of the list: SKUA_PROTOCOL_RESERVED or
/// SKUA_MINIPORT_RESERVED. Sent, which may be NULL, is how many there are.
///
/// Done is called once with Context when the lists are the caller's again, unless this fails before the stack was called: then the lists
/// are the caller's at once. It may be called inside this call.
///
/// IRQL: at most DISPATCH_LEVEL.
///
/// Returns as SkuaSend; STATUS_INVALID_PARAMETER also for an empty chain and a buffer with less data than headers.
///
/// # Safety
/// As for [`SkuaSend`](crate::SkuaSend). Lists, buffers, their reserved bytes and their MDLs are the caller's, and stay as they are until
/// `Done` is called. `Sent` is null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaSendNbl(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    Remote: *const SKUA_ENDPOINT,
    List: *mut NET_BUFFER_LIST,
    HeaderBytes: u32,
    ReservedBytes: u32,
    Options: *const SKUA_SEND_OPTIONS,
    Done: SKUA_SENT,
    Context: *mut c_void,
    Sent: *mut u32,
) -> NTSTATUS {
    let send = || {
        let done = Done.ok_or(STATUS_INVALID_PARAMETER)?;
        let reserved = match ReservedBytes {
            SKUA_PROTOCOL_RESERVED => Reserved::Protocol,
            SKUA_MINIPORT_RESERVED => Reserved::Miniport,
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        // SAFETY: the caller's promise.
        let (remote, options) = unsafe { destination(Remote, Options) }?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        inside.is_open()?;
        let list = NblList { list: List, header_bytes: HeaderBytes, reserved };
        inside.with_socket(Socket, |socket| {
            // SAFETY: the caller's promise.
            let sent = unsafe { socket.send_nbl(remote, &options, &list, done, Context) };
            let sent = sent.map_err(status)?;
            // SAFETY: the caller's promise.
            if let Some(to) = unsafe { Sent.as_mut() } {
                *to = u32::try_from(sent).unwrap_or(u32::MAX);
            }
            Ok(())
        })
    };
    send().err().unwrap_or(STATUS_SUCCESS)
}
