//! What a provider can do wrong in a call.

// UNSAFETY: reads and changes what a client's arguments lead to.
#![expect(unsafe_code, reason = "arguments are raw pointers")]

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use skua_engine::Kernel;
use skua_engine::abi::nt::PASSIVE_LEVEL;
use skua_engine::abi::sockaddr::SOL_SOCKET;
use skua_engine::abi::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, SO_WSK_EVENT_CALLBACK, WSK_EVENT_ACCEPT, WSK_EVENT_CALLBACK_CONTROL,
    WSK_EVENT_DISABLE, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_EVENT_RECEIVE_FROM,
    WSK_EVENT_SEND_BACKLOG, WSK_PROVIDER_BASIC_DISPATCH, WskSetOption,
};

use super::Mutated;
use super::{changes, outputs};
use crate::kernel::lock::hold;
use crate::middleware::{Arguments, Call, Category, Completion, Function, LayeredSocket};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallEffect {
    /// Fails, and does nothing.
    Fails,
    /// Succeeds, and does nothing.
    Pretends,
    /// Takes every failure for a success, also where an argument is to be refused or a request was cancelled.
    AcceptsAnything,
    /// Fails with STATUS_UNSUCCESSFUL wherever it fails.
    FailsOtherwise,
    /// Returns STATUS_PENDING and never completes the packet.
    NeverCompletes,
    /// `Information` is one too high.
    Overcounts,
    /// `Information` is 0.
    DoesNotCount,
    /// Returns STATUS_PENDING and does not mark the packet pending.
    DoesNotMark,
    /// Marks the packet pending and does not return STATUS_PENDING.
    Marks,
    /// Returns STATUS_SUCCESS where it pends, or fails.
    ReturnsSuccess,
    /// Leaves what it is to write as it was.
    WritesNothing,
    /// Writes something else.
    WritesOther,
    /// Sends other bytes.
    FlipsData,
    /// Sends one byte less.
    CutsData,
    /// Takes no notice of flags.
    IgnoresFlags,
    /// Takes no notice of the remote address.
    IgnoresAddress,
    /// Takes no notice of control messages.
    IgnoresControl,
    /// Completes long before it is done.
    CompletesEarly,
    /// Enables the socket's events too.
    EnablesEvents,
    /// Succeeds in disabling an event, and leaves it enabled.
    KeepsEvents,
    /// Fails with STATUS_UNSUCCESSFUL when it is called at DISPATCH_LEVEL.
    NeedsPassive,
    /// Uses the first MDL of a chain only.
    UsesFirstMdl,
    /// Takes the data to begin at the first byte of its first MDL.
    IgnoresOffset,
    /// Sends no data.
    IgnoresData,
    /// Takes another local port than the one that was given.
    IgnoresLocal,
    /// Takes no notice of the context and the table of callbacks.
    ForgetsCallbacks,
    /// Aborts the connection where it is to end it gracefully.
    Aborts,
    /// Every other call is overtaken by the one behind it.
    IsOvertaken,
}

impl CallEffect {
    /// Those that a function can have.
    pub(super) fn of(function: Function) -> Vec<Self> {
        use Function as F;
        let mut effects = Vec::new();
        let has_packet = !matches!(function, F::ReleaseDatagrams | F::ReleaseData | F::FreeAddressInfo);
        if function == F::FreeAddressInfo {
            return vec![Self::Pretends];
        }
        effects.extend([Self::Fails, Self::AcceptsAnything, Self::FailsOtherwise]);
        let makes_socket = matches!(function, F::Socket | F::SocketConnect | F::Accept);
        if !makes_socket && function != F::CloseSocket {
            effects.push(Self::Pretends);
        }
        if has_packet {
            effects.extend([Self::NeverCompletes, Self::DoesNotMark, Self::Marks, Self::ReturnsSuccess]);
            effects.push(Self::DoesNotCount);
            if !makes_socket {
                effects.push(Self::Overcounts);
            }
        }
        if function == F::CloseSocket {
            effects.push(Self::CompletesEarly);
        } else if has_packet {
            effects.push(Self::NeedsPassive);
        }
        if matches!(
            function,
            F::SendTo | F::ReceiveFrom | F::Send | F::Receive | F::ConnectEx | F::Disconnect
        ) {
            effects.extend([Self::UsesFirstMdl, Self::IgnoresOffset]);
        }
        if matches!(function, F::SendTo | F::ReceiveFrom | F::Send | F::Receive | F::Accept) {
            effects.push(Self::IsOvertaken);
        }
        if matches!(function, F::ConnectEx | F::Disconnect) {
            effects.push(Self::IgnoresData);
        }
        if function == F::Disconnect {
            effects.push(Self::Aborts);
        }
        if matches!(function, F::Bind | F::SocketConnect) {
            effects.push(Self::IgnoresLocal);
        }
        if makes_socket {
            effects.push(Self::ForgetsCallbacks);
        }
        if matches!(function, F::Bind | F::Connect | F::ConnectEx) {
            effects.push(Self::EnablesEvents);
        }
        if function == F::ControlSocket {
            effects.push(Self::KeepsEvents);
        }
        if outputs::has_some(function) {
            effects.extend([Self::WritesNothing, Self::WritesOther]);
        }
        if matches!(function, F::SendTo | F::SendMessages | F::Send | F::SendEx) {
            effects.extend([Self::FlipsData, Self::CutsData]);
        }
        if matches!(function, F::ConnectEx | F::Disconnect) {
            effects.push(Self::FlipsData);
        }
        if matches!(
            function,
            F::Bind
                | F::SendTo
                | F::SendMessages
                | F::ReceiveFrom
                | F::Send
                | F::Receive
                | F::Disconnect
                | F::Connect
                | F::ConnectEx
                | F::Accept
                | F::SocketConnect
        ) {
            effects.push(Self::IgnoresFlags);
        }
        if matches!(function, F::SendTo | F::SendMessages) {
            effects.extend([Self::IgnoresAddress, Self::IgnoresControl]);
        }
        effects
    }

    pub(super) const fn may_hang(self, function: Function) -> bool {
        match self {
            Self::NeverCompletes => true,
            // The socket that was made is lost.
            Self::DoesNotCount => {
                matches!(function, Function::Socket | Function::SocketConnect | Function::Accept)
            }
            _ => false,
        }
    }

    pub(super) const fn may_crash(self, function: Function) -> bool {
        match self {
            // What the client has closed still calls back, or is called.
            Self::CompletesEarly | Self::IsOvertaken => true,
            // The client frees what is not closed, or reuses what is still written to.
            Self::AcceptsAnything | Self::ReturnsSuccess => matches!(function, Function::CloseSocket),
            _ => false,
        }
    }
}

impl fmt::Display for CallEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fails => "fails",
            Self::Pretends => "only says that it is done",
            Self::AcceptsAnything => "takes every failure for a success",
            Self::FailsOtherwise => "fails with another status",
            Self::NeverCompletes => "never completes",
            Self::Overcounts => "counts one too many",
            Self::DoesNotCount => "counts nothing",
            Self::DoesNotMark => "pends without marking",
            Self::Marks => "marks without pending",
            Self::ReturnsSuccess => "returns success whatever it completes with",
            Self::WritesNothing => "leaves its outputs alone",
            Self::WritesOther => "writes other outputs",
            Self::FlipsData => "sends other bytes",
            Self::CutsData => "sends too few bytes",
            Self::IgnoresFlags => "ignores flags",
            Self::IgnoresAddress => "ignores the remote address",
            Self::IgnoresControl => "ignores control messages",
            Self::CompletesEarly => "completes before it is done",
            Self::EnablesEvents => "enables events",
            Self::KeepsEvents => "does not disable",
            Self::NeedsPassive => "needs PASSIVE_LEVEL",
            Self::UsesFirstMdl => "uses the first MDL only",
            Self::IgnoresOffset => "ignores the offset",
            Self::IgnoresData => "sends no data",
            Self::IgnoresLocal => "takes another local port",
            Self::ForgetsCallbacks => "forgets the callbacks",
            Self::Aborts => "aborts",
            Self::IsOvertaken => "is overtaken by what follows",
        })
    }
}

/// How long [`CallEffect::CompletesEarly`] waits before it does what it says is done, and [`CallEffect::IsOvertaken`] for
/// who overtakes.
const LATE: Duration = Duration::from_millis(100);

impl Mutated {
    pub(super) fn mutate_call(&self, effect: CallEffect, call: &mut Call<'_>) -> NTSTATUS {
        match effect {
            CallEffect::Fails => call.complete(STATUS_UNSUCCESSFUL, 0),
            CallEffect::Pretends => call.complete(STATUS_SUCCESS, 0),
            CallEffect::NeverCompletes => match call.hold() {
                Some((held, pending)) => {
                    std::mem::forget(held);
                    pending
                }
                None => call.pass(),
            },
            CallEffect::CompletesEarly => {
                let Some((held, _)) = call.hold() else { return call.pass() };
                let status = call.complete(STATUS_SUCCESS, 0);
                std::thread::spawn(move || {
                    std::thread::sleep(LATE);
                    held.pass();
                });
                status
            }
            CallEffect::AcceptsAnything => {
                let status = call.pass();
                if is_failure(status) { STATUS_SUCCESS } else { status }
            }
            CallEffect::FailsOtherwise => {
                let status = call.pass();
                if is_failure(status) { STATUS_UNSUCCESSFUL } else { status }
            }
            CallEffect::ReturnsSuccess => {
                let _returned = call.pass();
                STATUS_SUCCESS
            }
            CallEffect::WritesNothing | CallEffect::WritesOther => self.pass_with_outputs(effect, call),
            CallEffect::FlipsData => {
                // Back to what they were in the completion.
                // SAFETY: the client's contract: buffers that are the provider's until the packet is completed.
                unsafe { outputs::flip_sent(call.kernel(), &call.arguments) };
                call.pass()
            }
            CallEffect::NeedsPassive if call.kernel().ke_get_current_irql() > PASSIVE_LEVEL => {
                call.complete(STATUS_UNSUCCESSFUL, 0)
            }
            CallEffect::CutsData
            | CallEffect::IgnoresFlags
            | CallEffect::IgnoresAddress
            | CallEffect::IgnoresControl
            | CallEffect::UsesFirstMdl
            | CallEffect::IgnoresOffset
            | CallEffect::IgnoresData
            | CallEffect::IgnoresLocal
            | CallEffect::ForgetsCallbacks
            | CallEffect::Aborts => changes::pass(effect, call),
            CallEffect::IsOvertaken if !self.turn.fetch_xor(true, Ordering::SeqCst) => {
                changes::keep(&mut call.arguments);
                let Some((held, pending)) = call.hold() else { return call.pass() };
                std::thread::spawn(move || {
                    std::thread::sleep(LATE);
                    held.pass();
                });
                pending
            }
            CallEffect::KeepsEvents if disables(&call.arguments) => call.complete(STATUS_SUCCESS, 0),
            CallEffect::Overcounts
            | CallEffect::KeepsEvents
            | CallEffect::NeedsPassive
            | CallEffect::IsOvertaken
            | CallEffect::EnablesEvents
            | CallEffect::DoesNotCount
            | CallEffect::DoesNotMark
            | CallEffect::Marks => call.pass(),
        }
    }

    pub(super) fn mutate_completion(&self, effect: CallEffect, mut completion: Completion) {
        match effect {
            CallEffect::AcceptsAnything if is_failure(completion.status) => {
                completion.status = STATUS_SUCCESS;
                completion.information = 0;
            }
            CallEffect::FailsOtherwise if is_failure(completion.status) => {
                completion.status = STATUS_UNSUCCESSFUL;
            }
            CallEffect::Overcounts if completion.status.is_success() => completion.information += 1,
            CallEffect::DoesNotCount => completion.information = 0,
            CallEffect::EnablesEvents if completion.status.is_success() => {
                if let Some(socket) = completion.socket() {
                    enable_events(socket);
                }
            }
            CallEffect::DoesNotMark => completion.is_pending = false,
            CallEffect::Marks => completion.is_pending = true,
            CallEffect::WritesNothing | CallEffect::WritesOther => {
                self.spoil(effect, completion.packet());
            }
            CallEffect::FlipsData => {
                // SAFETY: the packet is not completed, so the buffers are still the provider's.
                unsafe { outputs::flip_sent(completion.kernel(), &completion.arguments()) };
            }
            _ => {}
        }
        completion.pass();
    }

    /// Notes what the outputs hold, and spoils what is written there when it is.
    fn pass_with_outputs(&self, effect: CallEffect, call: &mut Call<'_>) -> NTSTATUS {
        // SAFETY: the client's contract: outputs of the sizes that it gives.
        let saved = unsafe { outputs::save(call.kernel(), &call.arguments) };
        let key = call.packet().unwrap_or_default();
        hold(&self.before).insert(key, saved);
        let status = call.pass();
        if !call.has_packet() {
            self.spoil(effect, key);
        }
        status
    }

    fn spoil(&self, effect: CallEffect, key: u64) {
        let Some(saved) = hold(&self.before).remove(&key) else { return };
        for one in saved {
            if effect == CallEffect::WritesNothing {
                // SAFETY: the call is not over, so its outputs are still the provider's.
                unsafe { one.restore() };
            } else {
                // SAFETY: as above.
                unsafe { one.alter() };
            }
        }
    }
}

/// Whether a call has failed: a packet that waits has not.
fn is_failure(status: NTSTATUS) -> bool {
    !status.is_success() && status != STATUS_PENDING
}

/// Whether it is SO_WSK_EVENT_CALLBACK with WSK_EVENT_DISABLE.
fn disables(arguments: &Arguments) -> bool {
    let Arguments::ControlSocket { control_code: SO_WSK_EVENT_CALLBACK, input_buffer, input_size, .. } =
        *arguments
    else {
        return false;
    };
    if input_buffer.is_null() || input_size < size_of::<WSK_EVENT_CALLBACK_CONTROL>() {
        return false;
    }
    // SAFETY: the client's contract: readable for its size.
    let control = unsafe { input_buffer.cast::<WSK_EVENT_CALLBACK_CONTROL>().read() };
    control.EventMask & WSK_EVENT_DISABLE != 0
}

/// Enables, at the provider below, every event that the socket's category has.
fn enable_events(socket: &LayeredSocket) {
    let mask = match socket.category() {
        Category::Basic => return,
        Category::Datagram => WSK_EVENT_RECEIVE_FROM,
        Category::Listen => WSK_EVENT_ACCEPT,
        Category::Connection | Category::Stream => {
            WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG
        }
    };
    let mut control = WSK_EVENT_CALLBACK_CONTROL { NpiId: &raw const NPI_WSK_INTERFACE_ID, EventMask: mask };
    let lower = socket.lower();
    // SAFETY: the socket is open; every table begins with the basic one.
    let table = unsafe { (*lower).Dispatch }.cast::<WSK_PROVIDER_BASIC_DISPATCH>();
    // SAFETY: as above.
    let Some(function) = (unsafe { (*table).WskControlSocket }) else { return };
    let bytes = size_of::<WSK_EVENT_CALLBACK_CONTROL>();
    let (input, none) = ((&raw mut control).cast(), std::ptr::null_mut());
    let (set, code, level) = (WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET);
    // SAFETY: an open socket, an input of this size, and no packet.
    let _status =
        unsafe { function(lower, set, code, level, bytes, input, 0, none, none.cast(), none.cast()) };
}
