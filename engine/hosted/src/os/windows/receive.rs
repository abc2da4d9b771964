//! WSARecvMsg into blocks: as many datagrams as there are, then a wait for the next one or for the end.

// UNSAFETY: lends blocks to Winsock by address.
#![expect(unsafe_code, reason = "Winsock takes pointers")]

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use skua_engine::abi::sockaddr::SOCKADDR_INET;
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{
    WSABUF, WSAECONNRESET, WSAEMSGSIZE, WSAENETRESET, WSAENOBUFS, WSAMSG,
};

use super::Shared;
use super::ancillary::translate;
use crate::os::{Received, Receiver};
use crate::receive::{BlockRef, HEAD_BYTES, TAIL_BYTES};

/// Room for every control message that can be asked for, those of both families on one socket counted.
const CONTROL_BYTES: usize = 256;

/// Errors are taken for datagrams while discarding, so that what comes as an error is drained too; but not for ever.
const DISCARD_LIMIT: u64 = 1 << 20;

/// Where Winsock puts the control messages of a datagram.
#[repr(C, align(8))]
struct ControlArea([u8; CONTROL_BYTES]);

/// The receiver of a socket.
pub(super) struct WindowsReceiver {
    /// `None` when it was closed before.
    socket: Option<Arc<Socket>>,
    shared: Arc<Shared>,
    blocks: Box<[Option<BlockRef>]>,
    control: Box<ControlArea>,
}

impl WindowsReceiver {
    pub(super) fn new(socket: Option<Arc<Socket>>, shared: Arc<Shared>, batch: usize) -> Self {
        let control = Box::new(ControlArea([0; CONTROL_BYTES]));
        Self { socket, shared, blocks: vec![None; batch].into(), control }
    }

    /// Receives one datagram into `block`, without waiting.
    fn receive_one(&mut self, block: BlockRef, wanted: u32) -> Result<(), Error> {
        let socket = self.socket.as_deref().ok_or(ErrorKind::NotConnected)?;
        let mut buffers = [
            WSABUF { len: length(HEAD_BYTES), buf: block.head() },
            WSABUF { len: length(TAIL_BYTES), buf: block.tail() },
        ];
        let room = if wanted == 0 { 0 } else { CONTROL_BYTES };
        let mut message = WSAMSG {
            name: block.address().as_ptr().cast(),
            namelen: i32::try_from(size_of::<SOCKADDR_INET>()).unwrap_or_default(),
            lpBuffers: buffers.as_mut_ptr(),
            dwBufferCount: length(buffers.len()),
            Control: WSABUF { len: length(room), buf: self.control.0.as_mut_ptr() },
            dwFlags: 0,
        };
        // SAFETY: the worker has the block, and the rest is this function's.
        let bytes = unsafe { self.shared.receive.call(socket, &mut message) }?;
        let mut writer = block.control_writer();
        let given = (message.Control.len as usize).min(room);
        // SAFETY: Winsock wrote so many bytes there.
        let delivery =
            unsafe { translate(self.control.0.as_ptr(), given, wanted, message.dwFlags, &mut writer) };
        block.fill(bytes, writer.used(), delivery);
        Ok(())
    }
}

impl Receiver for WindowsReceiver {
    fn attach(&mut self, slot: usize, block: BlockRef) {
        self.blocks[slot] = Some(block);
    }

    fn receive(&mut self, slots: usize) -> Received {
        loop {
            // Read before the receive: what is queued when the end is called for is returned first.
            let ended = self.shared.ended.load(Ordering::SeqCst);
            let wanted = self.shared.wanted.get();
            let mut datagrams = 0;
            let failed = loop {
                let Some(block) = self.blocks.get(datagrams).copied().flatten().filter(|_| datagrams < slots)
                else {
                    return Received::Datagrams(datagrams);
                };
                match self.receive_one(block, wanted) {
                    Ok(()) => datagrams += 1,
                    Err(error) => break error,
                }
            };
            if datagrams > 0 {
                return Received::Datagrams(datagrams);
            }
            if failed.kind() != ErrorKind::WouldBlock {
                return judge(&failed);
            }
            if ended {
                return Received::Ended;
            }
            if !self.shared.arrived.wait_or(&self.shared.end) {
                return Received::Dead;
            }
        }
    }

    fn discard(&mut self) -> u64 {
        let Some(socket) = &self.socket else { return 0 };
        let mut discarded = 0;
        let mut scratch = [std::mem::MaybeUninit::uninit(); 1];
        while discarded < DISCARD_LIMIT {
            match socket.recv_from(&mut scratch) {
                Ok(_) => discarded += 1,
                // The rest of it is gone with the part that fitted.
                Err(error) if error.raw_os_error() == Some(WSAEMSGSIZE) => discarded += 1,
                Err(error) if is_of_a_send(&error) => {}
                Err(_) => break,
            }
        }
        discarded
    }
}

fn judge(error: &Error) -> Received {
    match error.kind() {
        _ if is_of_a_send(error) => Received::Failed,
        ErrorKind::OutOfMemory | ErrorKind::Interrupted => Received::Failed,
        _ if error.raw_os_error() == Some(WSAENOBUFS) => Received::Failed,
        _ => Received::Dead,
    }
}

/// Whether it is the ICMP error of some earlier send.
fn is_of_a_send(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(WSAECONNRESET | WSAENETRESET))
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
