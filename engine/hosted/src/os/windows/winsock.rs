//! The calls of Winsock that socket2 has not.

// UNSAFETY: passes values to Winsock by address.
#![expect(unsafe_code, reason = "Winsock takes pointers")]

use std::io::{Error, Result};
use std::os::windows::io::AsRawSocket;
use std::ptr;

use bytemuck::{AnyBitPattern, NoUninit};
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{
    FD_READ, FIONREAD, LPFN_WSARECVMSG, POLLWRNORM, SIO_GET_EXTENSION_FUNCTION_POINTER, SIO_UDP_CONNRESET,
    SOCKADDR, SOCKET, WSABUF, WSAEventSelect, WSAID_WSARECVMSG, WSAIoctl, WSAMSG, WSAPOLLFD, WSAPoll,
    WSASendMsg, WSASendTo, getsockopt, ioctlsocket, setsockopt,
};

use super::event::Event;

/// The longest that [`wait_writable`] waits, in ms: it is not told when waiting is called off.
const WRITABLE_WAIT: i32 = 5;

/// The socket as Winsock takes it.
pub(super) fn raw(socket: &Socket) -> SOCKET {
    // Both are as wide as a pointer.
    usize::try_from(socket.as_raw_socket()).unwrap_or(usize::MAX)
}

/// setsockopt with a value that socket2 has no call for.
pub(in crate::os) fn set<T: NoUninit>(socket: &Socket, level: u32, option: u32, value: T) -> Result<()> {
    let size = i32::try_from(size_of::<T>()).unwrap_or_default();
    let (level, option) = (level.cast_signed(), option.cast_signed());
    // SAFETY: the value is readable for its size.
    check(unsafe { setsockopt(raw(socket), level, option, (&raw const value).cast(), size) })
}

/// getsockopt of a ULONG.
pub(in crate::os) fn get(socket: &Socket, level: u32, option: u32) -> Result<u32> {
    let mut value = 0u32;
    let mut size = i32::try_from(size_of::<u32>()).unwrap_or_default();
    let (level, option) = (level.cast_signed(), option.cast_signed());
    // SAFETY: the value is writable for the size given.
    check(unsafe { getsockopt(raw(socket), level, option, (&raw mut value).cast(), &raw mut size) })?;
    Ok(value)
}

/// Bytes of a connection that wait to be received.
pub(in crate::os) fn readable(socket: &Socket) -> Result<u32> {
    let mut bytes = 0;
    // SAFETY: the value is writable.
    check(unsafe { ioctlsocket(raw(socket), FIONREAD, &raw mut bytes) })?;
    Ok(bytes)
}

/// Lets the stack signal `arrived` when there is something to receive, again after each receive.
pub(super) fn signal_arrivals(socket: &Socket, arrived: &Event) -> Result<()> {
    let events = i32::try_from(FD_READ).unwrap_or_default();
    // SAFETY: the event outlives the socket's use of it: both belong to one value, and the socket is closed first.
    check(unsafe { WSAEventSelect(raw(socket), arrived.raw().addr().cast_signed(), events) })
}

/// Keeps ICMP port unreachable from being reported by later receives.
pub(super) fn ignore_port_unreachable(socket: &Socket) -> Result<()> {
    let off = 0u32;
    control::<u32, [u8; 0]>(socket, SIO_UDP_CONNRESET, &off).map(|_| ())
}

/// Waits until there is room in the send buffer, or a short while.
pub(super) fn wait_writable(socket: &Socket) {
    let mut entry = WSAPOLLFD { fd: raw(socket), events: POLLWRNORM, revents: 0 };
    // SAFETY: one entry. An error says at least that waiting is over.
    unsafe { WSAPoll(&raw mut entry, 1, WRITABLE_WAIT) };
}

/// Whether a connect that was begun has ended, one way or the other.
pub(in crate::os) fn connect_has_ended(socket: &Socket) -> bool {
    let mut entry = WSAPOLLFD { fd: raw(socket), events: POLLWRNORM, revents: 0 };
    // SAFETY: one entry, looked at without waiting.
    let ready = unsafe { WSAPoll(&raw mut entry, 1, 0) };
    ready > 0 && entry.revents != 0
}

/// WSASendTo without control messages; Winsock takes an address of any family.
pub(super) fn send_to(socket: &Socket, buffers: &[WSABUF], address: &[u8]) -> Result<()> {
    let (count, length) = (u32::try_from(buffers.len()), i32::try_from(address.len()));
    let (count, length) = (count.unwrap_or_default(), length.unwrap_or_default());
    let to: *const SOCKADDR = address.as_ptr().cast();
    let mut sent = 0;
    // SAFETY: buffers and address are live and of these lengths; nothing is kept, since the call is not overlapped.
    check(unsafe {
        WSASendTo(raw(socket), buffers.as_ptr(), count, &raw mut sent, 0, to, length, ptr::null_mut(), None)
    })
}

/// WSASendMsg.
///
/// # Safety
/// `message` leads to live memory of the lengths that it says.
pub(super) unsafe fn send_message(socket: &Socket, message: &WSAMSG) -> Result<()> {
    let mut sent = 0;
    // SAFETY: the caller's promise; nothing is kept, since the call is not overlapped.
    check(unsafe { WSASendMsg(raw(socket), message, 0, &raw mut sent, ptr::null_mut(), None) })
}

/// WSARecvMsg, which is found by asking a socket.
#[derive(Clone, Copy)]
pub(super) struct ReceiveMessage(LPFN_WSARECVMSG);

impl ReceiveMessage {
    pub(super) fn of(socket: &Socket) -> Result<Self> {
        let id = WSAID_WSARECVMSG;
        let id = (id.data1, [id.data2, id.data3], id.data4);
        let mut bytes = [0u8; 16];
        bytes[..4].copy_from_slice(&id.0.to_ne_bytes());
        bytes[4..6].copy_from_slice(&id.1[0].to_ne_bytes());
        bytes[6..8].copy_from_slice(&id.1[1].to_ne_bytes());
        bytes[8..].copy_from_slice(&id.2);
        let address: usize = control(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &bytes)?;
        // SAFETY: zero is none, and anything else is the address of a function of this type.
        Ok(Self(unsafe { std::mem::transmute::<usize, LPFN_WSARECVMSG>(address) }))
    }

    /// Receives into what `message` leads to, and says how long the datagram is.
    ///
    /// # Safety
    /// `message` leads to live memory of the lengths that it says, which nobody else uses meanwhile.
    pub(super) unsafe fn call(self, socket: &Socket, message: &mut WSAMSG) -> Result<usize> {
        let receive = self.0.ok_or(std::io::ErrorKind::Unsupported)?;
        let mut received = 0;
        // SAFETY: the caller's promise; nothing is kept, since the call is not overlapped.
        check(unsafe { receive(raw(socket), message, &raw mut received, ptr::null_mut(), None) })?;
        Ok(received as usize)
    }
}

/// WSAIoctl.
fn control<I: NoUninit, O: AnyBitPattern>(socket: &Socket, code: u32, input: &I) -> Result<O> {
    let mut output: O = bytemuck::Zeroable::zeroed();
    let (given, wanted) = (u32::try_from(size_of::<I>()), u32::try_from(size_of::<O>()));
    let (given, wanted) = (given.unwrap_or_default(), wanted.unwrap_or_default());
    let mut returned = 0;
    // SAFETY: input and output are live and of these sizes; nothing is kept, since the call is not overlapped.
    check(unsafe {
        WSAIoctl(
            raw(socket),
            code,
            ptr::from_ref(input).cast(),
            given,
            (&raw mut output).cast(),
            wanted,
            &raw mut returned,
            ptr::null_mut(),
            None,
        )
    })?;
    Ok(output)
}

/// Winsock's error is the thread's last error.
fn check(result: i32) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}
