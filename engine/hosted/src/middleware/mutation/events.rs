//! What a provider can do wrong in a callback.

// UNSAFETY: changes indications before the client sees them.
#![expect(unsafe_code, reason = "indications are reached by address")]

use std::fmt;

use skua_engine::Dispatch;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{WSK_INSPECT_ID, WskInspectAccept, WskInspectReject};

use super::indications;
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
    /// Its flags have one that nobody knows.
    HasUnknownFlag,
    /// It is called twice at once.
    Overlaps,
    /// It says another number of bytes than its data has.
    Miscounts,
    /// It is called a second time at once when it was refused, or only a part of it was accepted.
    InsistsOnTheRest,
    /// It names another connection.
    NamesAnother,
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
                Self::HasUnknownFlag,
                Self::Overlaps,
                Self::Miscounts,
                Self::InsistsOnTheRest,
            ],
            EventFunction::Accept => &[
                Self::HasOtherFlags,
                Self::HasOtherAddresses,
                Self::TakesRefusalForSuccess,
                Self::RunsBelow,
                Self::HasUnknownFlag,
            ],
            EventFunction::Inspect => &[Self::HasOtherAddresses, Self::DecidesOtherwise],
            EventFunction::Disconnect => &[Self::HasOtherFlags, Self::RunsBelow, Self::HasUnknownFlag],
            EventFunction::SendBacklog => &[Self::HasOtherData],
            EventFunction::Abort => &[Self::NamesAnother],
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
        matches!(
            self,
            Self::TakesBack | Self::ComesTwice | Self::SwapsData | Self::LosesTheRest | Self::Overlaps
        )
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
            Self::HasUnknownFlag => "has an unknown flag",
            Self::Overlaps => "comes twice at once",
            Self::Miscounts => "counts a byte more than there is",
            Self::InsistsOnTheRest => "comes again when it was refused",
            Self::NamesAnother => "names another connection",
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
        EventEffect::Overlaps => {
            let twin = Twin(event.twin());
            std::thread::scope(|scope| {
                scope.spawn(move || twin.pass());
                event.pass()
            })
        }
        EventEffect::InsistsOnTheRest => {
            let status = event.pass();
            if status == STATUS_DATA_NOT_ACCEPTED { event.pass() } else { status }
        }
        EventEffect::NamesAnother => {
            let EventArguments::Abort { inspect_id } = &mut event.arguments else { return event.pass() };
            // SAFETY: the provider's, which lets the middleware have it.
            let Some(id) = (unsafe { inspect_id.as_ref() }) else { return event.pass() };
            let mut other = WSK_INSPECT_ID { SerialNumber: id.SerialNumber ^ 0x55, ..*id };
            *inspect_id = &raw mut other;
            event.pass()
        }
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
            unsafe { indications::spoil(effect, event) };
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

/// The second of an event that comes twice at once, at the level of the first.
struct Twin<'a>(Event<'a>);

// SAFETY: what an event leads to may be read from any thread during the callback.
unsafe impl Send for Twin<'_> {}

impl Twin<'_> {
    fn pass(mut self) {
        let kernel = self.0.kernel().clone();
        let _answer = Dispatch::with(&kernel, |_| self.0.pass());
    }
}
