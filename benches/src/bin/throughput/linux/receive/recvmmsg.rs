//! recvmmsg: the plain floor.

// UNSAFETY: message headers hold addresses of buffers, which the kernel writes to.
#![expect(unsafe_code, reason = "system calls take pointers")]

use std::io;
use std::os::fd::AsRawFd as _;
use std::ptr;

use super::control::{AREA_WORDS, Control, coalesce, segment};
use super::{Listen, Receiver, Take};

/// Datagrams in one call; with UDP_GRO so many buffers, of 64 KiB each.
const BATCH: usize = 32;
const COALESCED_BATCH: usize = 8;

/// The largest that UDP_GRO makes of several.
const LARGEST: usize = 1 << 16;

/// A loop around recvmmsg, which waits for the first datagram and takes what else is there.
pub(super) struct Recvmmsg {
    pub(super) control: Control,
    pub(super) coalesced: bool,
}

impl Receiver for Recvmmsg {
    fn run<T: Take>(&self, listen: &Listen, mut take: T) -> io::Result<()> {
        let socket = listen.socket(|socket| {
            self.control.ask(socket)?;
            coalesce(socket, self.coalesced)
        })?;
        let (batch, room) = if self.coalesced { (COALESCED_BATCH, LARGEST) } else { (BATCH, listen.room()) };
        let has_control = self.coalesced || self.control != Control::None;
        let mut buffers = vec![vec![0u8; room]; batch];
        let mut areas = vec![[0u64; AREA_WORDS]; batch];
        // SAFETY: an address of zeros is of no family.
        let mut names: Vec<libc::sockaddr_storage> = vec![unsafe { std::mem::zeroed() }; batch];
        let mut parts: Vec<libc::iovec> = buffers
            .iter_mut()
            .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: room })
            .collect();
        // SAFETY: a header of zeros names no memory.
        let mut messages: Vec<libc::mmsghdr> = vec![unsafe { std::mem::zeroed() }; batch];
        for (((message, part), name), area) in
            messages.iter_mut().zip(&mut parts).zip(&mut names).zip(&mut areas)
        {
            message.msg_hdr.msg_name = (&raw mut *name).cast();
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            if has_control {
                message.msg_hdr.msg_control = area.as_mut_ptr().cast();
            }
        }
        let name_room = libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>()).unwrap_or_default();
        let count = u32::try_from(batch).unwrap_or_default();
        loop {
            for message in &mut messages {
                message.msg_hdr.msg_namelen = name_room;
                message.msg_hdr.msg_controllen = if has_control { AREA_WORDS * 8 } else { 0 };
            }
            // SAFETY: the headers lead to buffers, names and areas above, which nothing else refers to meanwhile.
            let received = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    messages.as_mut_ptr(),
                    count,
                    libc::MSG_WAITFORONE,
                    ptr::null_mut(),
                )
            };
            let Ok(received) = usize::try_from(received) else {
                let error = io::Error::last_os_error();
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(error);
            };
            for ((message, buffer), area) in messages.iter().zip(&buffers).zip(&areas).take(received) {
                let payload = &buffer[..(message.msg_len as usize).min(room)];
                if self.coalesced {
                    let bytes = area_bytes(area, message.msg_hdr.msg_controllen);
                    take.take_coalesced(payload, segment(bytes).unwrap_or(payload.len()));
                } else {
                    take.take(payload);
                }
            }
            take.publish();
        }
    }
}

/// The bytes of an area, as far as the kernel wrote it.
fn area_bytes(area: &[u64; AREA_WORDS], length: usize) -> &[u8] {
    let length = length.min(size_of_val(area));
    // SAFETY: words are readable as bytes, and no more than there are.
    unsafe { std::slice::from_raw_parts(area.as_ptr().cast(), length) }
}
