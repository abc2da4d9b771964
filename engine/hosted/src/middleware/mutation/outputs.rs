//! Where a call writes to, and what it sends.

// UNSAFETY: reads and writes what a client's arguments lead to.
#![expect(unsafe_code, reason = "arguments are raw pointers")]

use skua_engine::abi::sockaddr::PSOCKADDR;
use skua_engine::abi::wsk::{WSK_BUF, WskGetOption, WskIoctl};

use super::indications::flip_bytes;
use crate::HostKernel;
use crate::buffer::Pieces;
use crate::middleware::{Arguments, Function};

/// Bytes that a call may write, as they were before.
#[derive(Debug)]
pub(super) struct Saved {
    at: *mut u8,
    bytes: Vec<u8>,
}

// SAFETY: the address is used while the call is under way only, when it is the provider's, on whichever thread.
unsafe impl Send for Saved {}

impl Saved {
    /// # Safety
    /// `at` is readable for `bytes`.
    unsafe fn new(at: *mut u8, bytes: usize) -> Self {
        // SAFETY: the caller's promise.
        let before = unsafe { std::slice::from_raw_parts(at, bytes) };
        Self { at, bytes: before.to_vec() }
    }

    /// # Safety
    /// The call is under way.
    pub(super) unsafe fn restore(&self) {
        // SAFETY: writable for so many bytes, as it was readable.
        unsafe { std::ptr::copy_nonoverlapping(self.bytes.as_ptr(), self.at, self.bytes.len()) };
    }

    /// Makes what was written there something else, if anything was.
    ///
    /// # Safety
    /// The call is under way.
    pub(super) unsafe fn alter(&self) {
        // SAFETY: as above.
        let now = unsafe { std::slice::from_raw_parts_mut(self.at, self.bytes.len()) };
        if now != self.bytes {
            // Beyond a family, where there is one.
            let from = if now.len() >= 16 { 2 } else { 0 };
            now[from..].iter_mut().zip(&self.bytes[from..]).for_each(|(now, before)| {
                if now != before {
                    *now ^= 0x55;
                }
            });
        }
    }
}

/// Whether a function writes anything but `Information`.
pub(super) const fn has_some(function: Function) -> bool {
    matches!(
        function,
        Function::ControlClient
            | Function::GetAddressInfo
            | Function::GetNameInfo
            | Function::ControlSocket
            | Function::GetLocalAddress
            | Function::GetRemoteAddress
            | Function::ReceiveFrom
            | Function::Accept
            | Function::Receive
            | Function::ReceiveEx
    )
}

/// Outputs whose place the arguments give: their addresses and sizes.
fn plain(arguments: &Arguments) -> [Option<(*mut u8, usize)>; 3] {
    let place = |at: *mut u8, bytes: usize| (!at.is_null() && bytes > 0).then_some((at, bytes));
    // Sixteen bytes of an address hold all of one of IPv4, and family, port and half of the address of one of IPv6.
    let address = |at: PSOCKADDR| place(at.cast(), 16);
    match *arguments {
        Arguments::ControlClient { output_buffer, output_size, output_size_returned, .. } => {
            [place(output_buffer.cast(), output_size), place(output_size_returned.cast(), 8), None]
        }
        Arguments::ControlSocket {
            request_type, output_buffer, output_size, output_size_returned, ..
        } if request_type == WskGetOption || request_type == WskIoctl => {
            [place(output_buffer.cast(), output_size), place(output_size_returned.cast(), 8), None]
        }
        Arguments::GetAddressInfo { result, .. } => [place(result.cast(), 8), None, None],
        Arguments::GetLocalAddress { local_address } => [address(local_address), None, None],
        Arguments::GetRemoteAddress { remote_address } => [address(remote_address), None, None],
        Arguments::Accept { local_address, remote_address, .. } => {
            [address(local_address), address(remote_address), None]
        }
        Arguments::ReceiveFrom { remote_address, control_length, control_flags, .. } => {
            [address(remote_address), place(control_length.cast(), 4), place(control_flags.cast(), 4)]
        }
        Arguments::ReceiveEx { control_info_length, control_flags, .. } => {
            [place(control_info_length.cast(), 4), place(control_flags.cast(), 4), None]
        }
        _ => [None; 3],
    }
}

/// What all outputs of a call hold.
///
/// # Safety
/// The arguments keep the contract of their function, and the call is under way.
pub(super) unsafe fn save(kernel: &HostKernel, arguments: &Arguments) -> Vec<Saved> {
    let mut saved = Vec::new();
    for (at, bytes) in plain(arguments).into_iter().flatten() {
        // SAFETY: the caller's promise.
        saved.push(unsafe { Saved::new(at, bytes) });
    }
    if let Arguments::ReceiveFrom { buffer, .. }
    | Arguments::Receive { buffer, .. }
    | Arguments::ReceiveEx { buffer, .. } = *arguments
    {
        // SAFETY: a piece of the buffer, which the caller lends.
        let save = |at, bytes| saved.push(unsafe { Saved::new(at, bytes) });
        // SAFETY: the caller's promise.
        unsafe { each_piece(kernel, buffer, save) };
    }
    saved
}

/// Changes every byte that a call sends, and changes it back when called again.
///
/// # Safety
/// As of [`save`].
pub(super) unsafe fn flip_sent(kernel: &HostKernel, arguments: &Arguments) {
    let flip = |at: *mut u8, bytes: usize| {
        // SAFETY: a piece of a buffer, which the caller lends.
        unsafe { flip_bytes(at, bytes) };
    };
    match *arguments {
        Arguments::SendTo { buffer, .. }
        | Arguments::Send { buffer, .. }
        | Arguments::SendEx { buffer, .. }
        | Arguments::ConnectEx { buffer, .. }
        | Arguments::Disconnect { buffer, .. } => {
            // SAFETY: the caller's promise.
            unsafe { each_piece(kernel, buffer, flip) };
        }
        Arguments::SendMessages { buffer_list, .. } => {
            let mut node = buffer_list;
            while !node.is_null() {
                // SAFETY: the caller's promise: a list that is the provider's.
                let buffer = unsafe { &raw mut (*node).Buffer };
                // SAFETY: as above.
                unsafe { each_piece(kernel, buffer, flip) };
                // SAFETY: as above.
                node = unsafe { (*node).Next };
            }
        }
        _ => {}
    }
}

/// # Safety
/// `buffer` is null, or a buffer that is the provider's.
unsafe fn each_piece(kernel: &HostKernel, buffer: *mut WSK_BUF, mut each: impl FnMut(*mut u8, usize)) {
    // SAFETY: the caller's promise.
    let Some(buffer) = (unsafe { buffer.as_ref() }) else { return };
    // SAFETY: the caller's promise.
    for piece in unsafe { Pieces::new(kernel, buffer) }.flatten() {
        each(piece.at, piece.bytes);
    }
}
