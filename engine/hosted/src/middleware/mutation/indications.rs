//! What a callback is called with, made something else.

// UNSAFETY: changes indications before the client sees them.
#![expect(unsafe_code, reason = "indications are reached by address")]

use std::ptr::null_mut;

use skua_engine::abi::sockaddr::{AF_INET, AF_INET6};
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION, WSK_FLAG_ABORTIVE, WSK_FLAG_AT_DISPATCH_LEVEL,
};

use super::EventEffect;
use crate::HostKernel;
use crate::buffer::Pieces;
use crate::middleware::{Event, EventArguments};

/// A flag of no callback.
const UNKNOWN: u32 = 0x1_0000;

/// # Safety
/// What the event's arguments lead to is lent.
pub(super) unsafe fn spoil(effect: EventEffect, event: &mut Event<'_>) {
    let kernel = event.kernel().clone();
    match &mut event.arguments {
        EventArguments::ReceiveFrom { flags, data_indication } => {
            if effect == EventEffect::HasOtherFlags {
                *flags ^= 0xC00 | WSK_FLAG_AT_DISPATCH_LEVEL;
                return;
            }
            // SAFETY: the caller's promise.
            unsafe { spoil_datagrams(effect, &kernel, *data_indication) };
        }
        EventArguments::Receive { flags, data_indication, bytes_indicated, .. } => match effect {
            EventEffect::HasOtherFlags => *flags ^= WSK_FLAG_AT_DISPATCH_LEVEL,
            EventEffect::HasUnknownFlag => *flags |= UNKNOWN,
            EventEffect::Miscounts if !data_indication.is_null() => *bytes_indicated += 1,
            // SAFETY: the caller's promise.
            _ => unsafe { spoil_data(effect, &kernel, *data_indication, bytes_indicated) },
        },
        EventArguments::Accept { flags, remote_address, local_address, .. } => {
            if effect == EventEffect::HasOtherFlags {
                *flags ^= WSK_FLAG_AT_DISPATCH_LEVEL;
            } else if effect == EventEffect::HasUnknownFlag {
                *flags |= UNKNOWN;
            } else {
                for address in [*local_address, *remote_address] {
                    // SAFETY: the caller's promise.
                    unsafe { flip_address(address.cast()) };
                }
            }
        }
        EventArguments::Inspect { remote_address, local_address, .. } => {
            for address in [*local_address, *remote_address] {
                // SAFETY: the caller's promise.
                unsafe { flip_address(address.cast()) };
            }
        }
        EventArguments::Disconnect { flags } if effect == EventEffect::HasUnknownFlag => *flags |= UNKNOWN,
        EventArguments::Disconnect { flags } => *flags ^= WSK_FLAG_ABORTIVE,
        EventArguments::SendBacklog { ideal_backlog_size } => *ideal_backlog_size = 0,
        EventArguments::Abort { .. } => {}
    }
}

/// # Safety
/// The list is lent.
unsafe fn spoil_datagrams(effect: EventEffect, kernel: &HostKernel, list: *mut WSK_DATAGRAM_INDICATION) {
    if list.is_null() {
        return;
    }
    // SAFETY: the caller's promise; this and the following ones.
    let first = unsafe { &mut *list };
    match effect {
        EventEffect::LosesTheRest => first.Next = null_mut(),
        EventEffect::SwapsData => {
            if let Some(next) = std::ptr::NonNull::new(first.Next) {
                // SAFETY: another node of the list.
                std::mem::swap(&mut first.Buffer, unsafe { &mut (*next.as_ptr()).Buffer });
            }
        }
        _ => {}
    }
    let mut node = list;
    while !node.is_null() {
        // SAFETY: a node of the list.
        let indication = unsafe { &mut *node };
        match effect {
            // SAFETY: the caller's promise.
            EventEffect::HasOtherData => unsafe { flip(kernel, &indication.Buffer) },
            EventEffect::IsShort => indication.Buffer.Length = indication.Buffer.Length.saturating_sub(1),
            // SAFETY: the caller's promise.
            EventEffect::HasOtherAddresses => unsafe { flip_address(indication.RemoteAddress.cast()) },
            EventEffect::HasNoControl => {
                indication.ControlInfo = null_mut();
                indication.ControlInfoLength = 0;
            }
            EventEffect::HasOtherControl if !indication.ControlInfo.is_null() => {
                let bytes = indication.ControlInfoLength as usize;
                // The value of the first message, behind its header.
                let value = indication.ControlInfo.cast::<u8>().wrapping_add(16);
                // SAFETY: within the control area.
                unsafe { flip_bytes(value, bytes.min(20).saturating_sub(16)) };
            }
            _ => {}
        }
        node = indication.Next;
    }
}

/// # Safety
/// The list is lent.
unsafe fn spoil_data(
    effect: EventEffect,
    kernel: &HostKernel,
    list: *mut WSK_DATA_INDICATION,
    bytes_indicated: &mut usize,
) {
    // SAFETY: the caller's promise.
    let Some(first) = (unsafe { list.as_mut() }) else { return };
    match effect {
        // SAFETY: the caller's promise.
        EventEffect::HasOtherData => unsafe { flip(kernel, &first.Buffer) },
        EventEffect::IsShort if first.Buffer.Length > 1 => {
            first.Buffer.Length -= 1;
            *bytes_indicated -= 1;
        }
        _ => {}
    }
}

/// # Safety
/// The buffer is lent.
unsafe fn flip(kernel: &HostKernel, buffer: &WSK_BUF) {
    // SAFETY: the caller's promise.
    for piece in unsafe { Pieces::new(kernel, buffer) }.flatten() {
        // SAFETY: a piece of the buffer.
        unsafe { flip_bytes(piece.at, piece.bytes) };
    }
}

/// Makes it an address of the same family, with another port.
///
/// # Safety
/// `address` is null or an address that is lent.
unsafe fn flip_address(address: *mut u8) {
    if address.is_null() {
        return;
    }
    // SAFETY: every address begins with its family.
    let family = unsafe { address.cast::<u16>().read() };
    if has_port(family) {
        // SAFETY: within the address, behind the family.
        unsafe { flip_bytes(address.wrapping_add(2), 2) };
    }
}

/// # Safety
/// `at` is writable for `bytes`.
pub(super) unsafe fn flip_bytes(at: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(at, bytes) }.iter_mut().for_each(|byte| *byte ^= 0x55);
}

/// Whether an address of this family begins with the family and the port.
const fn has_port(family: u16) -> bool {
    matches!(family, AF_INET | AF_INET6)
}
