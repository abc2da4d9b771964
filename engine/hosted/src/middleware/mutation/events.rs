//! What a provider can do wrong in a callback.

// UNSAFETY: changes indications before the client sees them.
#![expect(unsafe_code, reason = "indications are reached by address")]

use std::fmt;
use std::ptr::null_mut;

use skua_engine::abi::sockaddr::{AF_INET, AF_INET6};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_DATA_INDICATION, WSK_DATAGRAM_INDICATION, WSK_FLAG_ABORTIVE, WSK_FLAG_AT_DISPATCH_LEVEL,
    WskInspectAccept, WskInspectReject,
};

use crate::buffer::Pieces;
use crate::middleware::{Event, EventArguments, EventFunction};

/// How a callback goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventEffect {
    /// It is not called.
    IsMissing,
    /// It is called twice.
    ComesTwice,
    /// Its flags are others.
    HasOtherFlags,
    /// Its bytes are others.
    HasOtherData,
    /// Its data is a byte short.
    IsShort,
    /// Its addresses are others.
    HasOtherAddresses,
    /// Its control messages are missing.
    HasNoControl,
    /// Its control messages have other values.
    HasOtherControl,
    /// Only the first of a list comes.
    LosesTheRest,
    /// The data of a later one comes in the place of an earlier one.
    SwapsData,
    /// STATUS_PENDING is taken for STATUS_SUCCESS.
    TakesBack,
    /// A refusal is taken for STATUS_SUCCESS.
    TakesRefusalForSuccess,
    /// What was accepted of it is taken for all of it.
    TakesPartForAll,
    /// The client's decision is taken for the other one.
    DecidesOtherwise,
    /// It runs at PASSIVE_LEVEL whatever its flags say.
    RunsBelow,
}

impl EventEffect {
    /// Those that a callback can have.
    pub(super) fn of(function: EventFunction) -> Vec<Self> {
        let mut effects = vec![Self::IsMissing, Self::ComesTwice];
        effects.extend_from_slice(match function {
            EventFunction::ReceiveFrom => &[
                Self::HasOtherFlags,
                Self::HasOtherData,
                Self::IsShort,
                Self::HasOtherAddresses,
                Self::HasNoControl,
                Self::HasOtherControl,
                Self::LosesTheRest,
                Self::SwapsData,
                Self::TakesBack,
                Self::TakesRefusalForSuccess,
                Self::RunsBelow,
            ],
            EventFunction::Receive => &[
                Self::HasOtherFlags,
                Self::HasOtherData,
                Self::IsShort,
                Self::TakesBack,
                Self::TakesRefusalForSuccess,
                Self::TakesPartForAll,
                Self::RunsBelow,
            ],
            EventFunction::Accept => {
                &[Self::HasOtherFlags, Self::HasOtherAddresses, Self::TakesRefusalForSuccess]
            }
            EventFunction::Inspect => &[Self::HasOtherAddresses, Self::DecidesOtherwise],
            EventFunction::Disconnect => &[Self::HasOtherFlags],
            EventFunction::SendBacklog => &[Self::HasOtherData],
            EventFunction::Abort => &[],
        });
        if function == EventFunction::Accept {
            // A socket cannot be given twice.
            effects.retain(|effect| *effect != Self::ComesTwice);
        }
        effects
    }

    pub(super) const fn may_hang(self) -> bool {
        matches!(self, Self::TakesRefusalForSuccess)
    }

    pub(super) const fn may_crash(self) -> bool {
        matches!(self, Self::TakesBack | Self::ComesTwice | Self::SwapsData | Self::LosesTheRest)
    }
}

impl fmt::Display for EventEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IsMissing => "does not come",
            Self::ComesTwice => "comes twice",
            Self::HasOtherFlags => "has other flags",
            Self::HasOtherData => "has other data",
            Self::IsShort => "is short of a byte",
            Self::HasOtherAddresses => "has other addresses",
            Self::HasNoControl => "has no control messages",
            Self::HasOtherControl => "has other control messages",
            Self::LosesTheRest => "loses all but the first of a list",
            Self::SwapsData => "swaps the data of two",
            Self::TakesBack => "takes retained data back",
            Self::TakesRefusalForSuccess => "takes a refusal for a success",
            Self::TakesPartForAll => "takes a part accepted for all",
            Self::DecidesOtherwise => "decides otherwise than the client",
            Self::RunsBelow => "runs at PASSIVE_LEVEL",
        })
    }
}

pub(super) fn mutate(effect: EventEffect, event: &mut Event<'_>) -> NTSTATUS {
    if let EventArguments::Accept { accept_socket, .. } = event.arguments
        && accept_socket.is_null()
    {
        return event.pass();
    }
    match effect {
        EventEffect::IsMissing => match event.function() {
            EventFunction::Accept => STATUS_REQUEST_NOT_ACCEPTED,
            _ => STATUS_SUCCESS,
        },
        EventEffect::ComesTwice => {
            let _first = event.pass();
            event.pass()
        }
        // A thread of its own has not raised.
        EventEffect::RunsBelow => std::thread::scope(|scope| {
            let event = Elsewhere(event);
            scope.spawn(move || event.pass()).join().unwrap_or(STATUS_SUCCESS)
        }),
        EventEffect::TakesBack => {
            let status = event.pass();
            if status == STATUS_PENDING { STATUS_SUCCESS } else { status }
        }
        EventEffect::TakesRefusalForSuccess => {
            let status = event.pass();
            let is_refusal = status == STATUS_DATA_NOT_ACCEPTED || status == STATUS_REQUEST_NOT_ACCEPTED;
            if is_refusal { STATUS_SUCCESS } else { status }
        }
        EventEffect::TakesPartForAll => {
            let status = event.pass();
            if let EventArguments::Receive { bytes_accepted, bytes_indicated, .. } = event.arguments
                && status == STATUS_SUCCESS
                && !bytes_accepted.is_null()
            {
                // SAFETY: the provider's out parameter.
                unsafe { bytes_accepted.write(bytes_indicated) };
            }
            status
        }
        EventEffect::DecidesOtherwise => {
            let status = event.pass();
            if let EventArguments::Inspect { action, .. } = &mut event.arguments {
                *action = if *action == WskInspectAccept { WskInspectReject } else { WskInspectAccept };
            }
            status
        }
        _ => {
            // SAFETY: the arguments are the provider's, which lets the middleware have them.
            unsafe { spoil(effect, event) };
            event.pass()
        }
    }
}

/// An event that another thread passes on while its own waits.
struct Elsewhere<'e, 'a>(&'e mut Event<'a>);

// SAFETY: what an event leads to may be read from any thread during the callback.
unsafe impl Send for Elsewhere<'_, '_> {}

impl Elsewhere<'_, '_> {
    fn pass(self) -> NTSTATUS {
        self.0.pass()
    }
}

/// # Safety
/// What the event's arguments lead to is lent.
unsafe fn spoil(effect: EventEffect, event: &mut Event<'_>) {
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
            // SAFETY: the caller's promise.
            _ => unsafe { spoil_data(effect, &kernel, *data_indication, bytes_indicated) },
        },
        EventArguments::Accept { flags, remote_address, local_address, .. } => {
            if effect == EventEffect::HasOtherFlags {
                *flags ^= WSK_FLAG_AT_DISPATCH_LEVEL;
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
        EventArguments::Disconnect { flags } => *flags ^= WSK_FLAG_ABORTIVE,
        EventArguments::SendBacklog { ideal_backlog_size } => *ideal_backlog_size = 0,
        EventArguments::Abort { .. } => {}
    }
}

/// # Safety
/// The list is lent.
unsafe fn spoil_datagrams(
    effect: EventEffect,
    kernel: &crate::HostKernel,
    list: *mut WSK_DATAGRAM_INDICATION,
) {
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
    kernel: &crate::HostKernel,
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
unsafe fn flip(kernel: &crate::HostKernel, buffer: &WSK_BUF) {
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
