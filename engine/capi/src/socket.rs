//! Sockets by number.

// UNSAFETY: reads and writes structures of the caller's.
#![expect(unsafe_code, reason = "structures are met by address")]

use core::ffi::c_void;
use core::time::Duration;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
    STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};
use skua_engine::{
    CloseError, Info, Membership, MembershipError, OpenSocketError, Owner, Sharing, SocketOptions, Wanted,
};

use crate::close::{SKUA_OUTSTANDING, Until, may_tell};
use crate::config::{has_size, sized};
use crate::endpoint::{self, SKUA_ENDPOINT};
use crate::engine::{SKUA_ENGINE, enter};
use crate::instance::{CSocket, Instance};
use crate::open::capture;

/// A socket over IPv6 takes IPv6 only; without this flag one bound to :: takes IPv4 as well.
pub const SKUA_ONLY_IPV6: u32 = 0x1;
/// Sends to broadcast addresses are allowed.
pub const SKUA_BROADCAST: u32 = 0x2;

/// Nobody else may bind to the port.
pub const SKUA_SHARE_EXCLUSIVE: u32 = 0;
/// What the transport allows by default.
pub const SKUA_SHARE_DEFAULT: u32 = 1;
/// Who asks for it too may bind to the port.
pub const SKUA_SHARE_REUSE: u32 = 2;

/// It is not asked for.
pub const SKUA_INFO_OFF: u32 = 0;
/// It is asked for, and a datagram without it is handled all the same.
pub const SKUA_INFO_WANTED: u32 = 1;
/// A socket that cannot give it does not open, and a datagram without it is dropped.
pub const SKUA_INFO_REQUIRED: u32 = 2;

/// How long a capture that no SkuaCaptureProvider preceded may take.
const NO_WAIT: Duration = Duration::ZERO;

/// A socket: a number that names it until it is closed. Zero names none.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_SOCKET {
    /// The library's.
    pub Value: u64,
}

/// What a socket is opened with. Zero is a good value for everything but Size and Local.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SKUA_SOCKET_CONFIG {
    /// sizeof(SKUA_SOCKET_CONFIG).
    pub Size: u32,
    /// SKUA_ONLY_IPV6, SKUA_BROADCAST.
    pub Flags: u32,
    /// Address and port to bind to; the family of the socket is its family. Port 0 lets the stack choose.
    pub Local: SKUA_ENDPOINT,
    /// The one address that datagrams come from and go to (SIO_WSK_SET_REMOTE_ADDRESS); anyone's if its Family is 0.
    pub Remote: SKUA_ENDPOINT,
    /// SKUA_SHARE_EXCLUSIVE and the like.
    pub Sharing: u32,
    /// Whether datagrams should say where they were sent to and by which interface they came: SKUA_INFO_OFF and the like.
    pub PacketInfo: u32,
    /// The same of DSCP and ECN.
    pub TypeOfService: u32,
    /// The same of the time to live.
    pub HopLimit: u32,
    /// The same of the stack's own time of arrival.
    pub Timestamp: u32,
    /// The same of joined datagrams (UDP_RECV_MAX_COALESCED_SIZE): the handler sees the datagrams one by one all the same.
    pub Coalesced: u32,
    /// Bytes that the stack may hold for the socket (SO_RCVBUF); the transport's default if 0.
    pub ReceiveBuffer: u32,
    /// What SkuaBatchSocket says of its datagrams.
    pub Id: u16,
    /// Zero.
    pub Reserved: u16,
    /// The process on whose behalf the socket is bound, a PEPROCESS, referenced by the caller for the time of the call; the calling
    /// one if NULL.
    pub OwningProcess: *mut c_void,
    /// A thread of it whose impersonation counts, a PETHREAD; none if NULL.
    pub OwningThread: *mut c_void,
}

/// How a socket is.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_SOCKET_STATE {
    /// sizeof(SKUA_SOCKET_STATE), the caller's to set before.
    pub Size: u32,
    /// Nonzero where the provider has said that the socket is dead: only SkuaCloseSocket is left.
    pub IsDead: u32,
    /// Where it is bound; the port is the real one, also if 0 was asked for.
    pub Local: SKUA_ENDPOINT,
}

/// A multicast group.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SKUA_GROUP {
    /// sizeof(SKUA_GROUP).
    pub Size: u32,
    /// The index of the interface to hear it on; 0 leaves the choice to the routing table.
    pub Interface: u32,
    /// The group; its port does not matter.
    pub Group: SKUA_ENDPOINT,
    /// The one source to hear; every source if its Family is 0.
    pub Source: SKUA_ENDPOINT,
}

fn info(value: u32) -> Result<Info, NTSTATUS> {
    match value {
        SKUA_INFO_OFF => Ok(Info::Off),
        SKUA_INFO_WANTED => Ok(Info::Wanted),
        SKUA_INFO_REQUIRED => Ok(Info::Required),
        _ => Err(STATUS_INVALID_PARAMETER),
    }
}

impl SKUA_SOCKET_CONFIG {
    /// # Safety
    /// Process and thread are null or referenced for as long as the options are used.
    unsafe fn options(&self) -> Result<SocketOptions<'static>, NTSTATUS> {
        if self.Flags & !(SKUA_ONLY_IPV6 | SKUA_BROADCAST) != 0 {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let sharing = match self.Sharing {
            SKUA_SHARE_EXCLUSIVE => Sharing::Exclusive,
            SKUA_SHARE_DEFAULT => Sharing::Default,
            SKUA_SHARE_REUSE => Sharing::Reuse,
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        let wanted = Wanted {
            packet_info: info(self.PacketInfo)?,
            type_of_service: info(self.TypeOfService)?,
            hop_limit: info(self.HopLimit)?,
            timestamp: info(self.Timestamp)?,
            coalesced: info(self.Coalesced)?,
        };
        let remote = match self.Remote.Family {
            0 => None,
            _ => Some(self.Remote.to_socket_addr()?),
        };
        // SAFETY: the caller's promise.
        let owner = unsafe { Owner::new(self.OwningProcess.cast(), self.OwningThread.cast()) };
        Ok(SocketOptions {
            only_v6: self.Flags & SKUA_ONLY_IPV6 != 0,
            sharing,
            wanted,
            receive_buffer: (self.ReceiveBuffer != 0).then_some(self.ReceiveBuffer),
            broadcast: self.Flags & SKUA_BROADCAST != 0,
            remote,
            owner,
            id: self.Id,
            ..SocketOptions::new(self.Local.to_socket_addr()?)
        })
    }
}

impl Instance {
    /// Does something with the socket that a number names.
    ///
    /// # Errors
    /// STATUS_INVALID_HANDLE, or what it ends with.
    #[inline]
    pub(crate) fn with_socket<R>(
        &self,
        socket: SKUA_SOCKET,
        work: impl FnOnce(&CSocket) -> Result<R, NTSTATUS>,
    ) -> Result<R, NTSTATUS> {
        let table = self.sockets.as_ref().ok_or(STATUS_INVALID_HANDLE)?;
        let used = table.enter(socket.Value).ok_or(STATUS_INVALID_HANDLE)?;
        work(used.get().ok_or(STATUS_INVALID_HANDLE)?)
    }
}

/// Opens a socket and binds it. Its datagrams reach the handler, perhaps before this returns. Where SkuaCaptureProvider was not called, the
/// provider is captured without waiting for it.
///
/// IRQL: PASSIVE_LEVEL. It waits for the stack: not in DriverEntry, and not in a handler.
///
/// Returns what the stack answered: STATUS_ADDRESS_ALREADY_EXISTS where somebody has the port, STATUS_IO_TIMEOUT after 10 s without an
/// answer. STATUS_QUOTA_EXCEEDED for more than MaxSockets; STATUS_INVALID_PARAMETER for values that are none and NULL;
/// STATUS_INFO_LENGTH_MISMATCH for an unknown Size; STATUS_DEVICE_NOT_READY without a provider; STATUS_DEVICE_BUSY while another call
/// configures the engine; STATUS_DELETE_PENDING while it closes; STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL;
/// STATUS_INVALID_HANDLE; STATUS_INSUFFICIENT_RESOURCES.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Config` is null or a structure of its Size, and what it points at is what it says; `Socket` is
/// null or writable.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaOpenSocket(
    Engine: *mut SKUA_ENGINE,
    Config: *const SKUA_SOCKET_CONFIG,
    Socket: *mut SKUA_SOCKET,
) -> NTSTATUS {
    let open = || {
        // SAFETY: the caller's promise.
        let config = unsafe { sized(Config) }?;
        // SAFETY: the caller's promise.
        let to = unsafe { Socket.as_mut() }.ok_or(STATUS_INVALID_PARAMETER)?;
        // SAFETY: the caller's promise.
        let options = unsafe { config.options() }?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let passive = inside.passive()?;
        inside.is_open()?;
        let mut configuring = inside.configure()?;
        let client = configuring.client();
        capture(client, NO_WAIT, &passive)?;
        let provider = client.provider.as_ref().ok_or(STATUS_INVALID_HANDLE)?;
        let table = inside.sockets.as_ref().ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        let opened = inside.engine.open_socket(provider, &options, &passive);
        let opened = opened.map_err(OpenSocketError::status)?;
        match table.insert(opened) {
            Ok(number) => {
                to.Value = number;
                Ok(())
            }
            Err(opened) => {
                // What the deadline does not suffice for is left to the registration.
                let _outstanding = opened.close(Duration::from_secs(1), &passive);
                Err(skua_engine::abi::status::STATUS_QUOTA_EXCEEDED)
            }
        }
    };
    open().err().unwrap_or(STATUS_SUCCESS)
}

/// Turns away what comes for a socket from now on, counted as SKUA_DROP_CLOSING, and refuses sends. It stays bound.
///
/// IRQL: at most DISPATCH_LEVEL, also in a handler.
///
/// Returns STATUS_INVALID_HANDLE for a number that names no socket.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaStopSocket(Engine: *mut SKUA_ENGINE, Socket: SKUA_SOCKET) -> NTSTATUS {
    let stop = || {
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        inside.with_socket(Socket, |socket| {
            socket.stop();
            Ok(())
        })
    };
    stop().err().unwrap_or(STATUS_SUCCESS)
}

/// Closes a socket: stops it, waits for its handlers and retained datagrams, then closes it. Sends under way are cancelled.
///
/// Waits at most so many milliseconds, 0xFFFFFFFF without limit. Whatever it returns but STATUS_INVALID_HANDLE, STATUS_INVALID_DEVICE_STATE and
/// STATUS_INFO_LENGTH_MISMATCH, the number names nothing any more, and the socket goes on closing by itself; SkuaClose waits for it.
///
/// IRQL: PASSIVE_LEVEL. Not in a handler.
///
/// Returns STATUS_IO_TIMEOUT when something is outstanding at the deadline: what, is in Outstanding, which may be NULL.
/// STATUS_INVALID_HANDLE for a number that names no socket, STATUS_INVALID_DEVICE_STATE above PASSIVE_LEVEL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Outstanding` is null or a writable structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaCloseSocket(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    Milliseconds: u32,
    Outstanding: *mut SKUA_OUTSTANDING,
) -> NTSTATUS {
    let close = || {
        // SAFETY: the caller's promise.
        unsafe { may_tell(Outstanding) }?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        let passive = inside.passive()?;
        let until = Until::after(inside.kernel, Milliseconds);
        let table = inside.sockets.as_ref().ok_or(STATUS_INVALID_HANDLE)?;
        let taken = table.take_when_idle(Socket.Value, until.units());
        let seen = match taken.map_err(|_none| STATUS_INVALID_HANDLE)? {
            Some(socket) => match socket.close(until.duration(), &passive) {
                Ok(()) => return Ok(()),
                Err(CloseError { outstanding, .. }) => Some(outstanding),
            },
            None => None,
        };
        // SAFETY: the caller's promise.
        unsafe { inside.tell(Outstanding, seen, u32::from(seen.is_none())) };
        Err(STATUS_IO_TIMEOUT)
    };
    close().err().unwrap_or(STATUS_SUCCESS)
}

/// Where a socket is bound, and whether it lives. State->Size is the caller's to set before.
///
/// IRQL: at most DISPATCH_LEVEL.
///
/// Returns STATUS_INVALID_HANDLE for a number that names no socket, STATUS_INFO_LENGTH_MISMATCH for an unknown Size,
/// STATUS_INVALID_PARAMETER for NULL.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `State` is null or a writable structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaQuerySocket(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    State: *mut SKUA_SOCKET_STATE,
) -> NTSTATUS {
    let query = || {
        // SAFETY: the caller's promise.
        unsafe { has_size(State) }?;
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(Engine) }?;
        #[expect(clippy::cast_possible_truncation, reason = "a few bytes")]
        let state = inside.with_socket(Socket, |socket| {
            Ok(SKUA_SOCKET_STATE {
                Size: size_of::<SKUA_SOCKET_STATE>() as u32,
                IsDead: socket.is_dead().into(),
                Local: socket.local_address().into(),
            })
        })?;
        // SAFETY: writable, and of this size.
        unsafe { State.write(state) };
        Ok(())
    };
    query().err().unwrap_or(STATUS_SUCCESS)
}

/// Joins a multicast group.
///
/// IRQL: PASSIVE_LEVEL. It waits for the stack.
///
/// Returns what the stack answered; STATUS_INVALID_PARAMETER for an address that is no group's; STATUS_INVALID_HANDLE,
/// STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_DEVICE_STATE, STATUS_DEVICE_BUSY and STATUS_DELETE_PENDING as SkuaOpenSocket.
///
/// # Safety
/// `Engine` is as [`SKUA_ENGINE`] says; `Group` is null or a structure of its Size.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaJoinGroup(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    Group: *const SKUA_GROUP,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    unsafe { membership(Engine, Socket, Group, true) }
}

/// Leaves a multicast group, joined with the same Interface and Source.
///
/// IRQL: PASSIVE_LEVEL. It waits for the stack.
///
/// Returns as SkuaJoinGroup.
///
/// # Safety
/// As for [`SkuaJoinGroup`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn SkuaLeaveGroup(
    Engine: *mut SKUA_ENGINE,
    Socket: SKUA_SOCKET,
    Group: *const SKUA_GROUP,
) -> NTSTATUS {
    // SAFETY: the caller's promise.
    unsafe { membership(Engine, Socket, Group, false) }
}

/// # Safety
/// As for [`SkuaJoinGroup`].
unsafe fn membership(
    engine: *mut SKUA_ENGINE,
    socket: SKUA_SOCKET,
    group: *const SKUA_GROUP,
    joins: bool,
) -> NTSTATUS {
    let change = || {
        // SAFETY: the caller's promise.
        let group = unsafe { sized(group) }?;
        let source = match group.Source.Family {
            0 => None,
            family => Some(endpoint::address(family, &group.Source.Address)?),
        };
        let membership = Membership {
            group: endpoint::address(group.Group.Family, &group.Group.Address)?,
            interface: group.Interface,
            source,
        };
        // SAFETY: the caller's promise.
        let inside = unsafe { enter(engine) }?;
        let passive = inside.passive()?;
        inside.is_open()?;
        let _configuring = inside.configure()?;
        inside.with_socket(socket, |socket| {
            let changed = if joins {
                // SAFETY: one call configures at a time.
                unsafe { socket.join_shared(&membership, &passive) }
            } else {
                // SAFETY: as above.
                unsafe { socket.leave_shared(&membership, &passive) }
            };
            changed.map_err(MembershipError::status)
        })
    };
    change().err().unwrap_or(STATUS_SUCCESS)
}
