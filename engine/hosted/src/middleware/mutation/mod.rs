//! Providers that break one rule, to see whether something notices.
//!
//! A mutation is an effect on one function, on one control of a function, or on one callback. [`Mutation::all`] are the
//! combinations that make sense. Which rule of WSK one breaks depends on how the function is called: a WskBind that takes
//! every failure for a success breaks whatever says that a bind is refused.
//!
//! Most leave the provider usable. [`Mutation::may_hang`] are those after which a request or a socket remains, so that
//! WskDeregister would wait for ever; [`Mutation::may_crash`] are those after which a client that keeps the rules may use
//! memory that is gone: they are for a process of their own.

mod calls;
mod changes;
mod events;
mod indications;
mod outputs;

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use skua_engine::abi::sockaddr::SO_CONDITIONAL_ACCEPT;
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{
    SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, SIO_WSK_QUERY_INSPECT_ID, SIO_WSK_QUERY_RECEIVE_BACKLOG,
    SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS, SO_WSK_EVENT_CALLBACK, SO_WSK_SECURITY,
    WSK_CACHE_SD, WSK_RELEASE_SD, WSK_SET_STATIC_EVENT_CALLBACKS, WSK_TDI_BEHAVIOR,
    WSK_TRANSPORT_LIST_CHANGE, WSK_TRANSPORT_LIST_QUERY,
};

use super::{Call, Completion, Event, EventFunction, Function, Middleware};
pub use calls::CallEffect;
pub use events::EventEffect;

/// A rule that a provider breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// Of a function.
    Call(Function, CallEffect),
    /// Of WskControlClient and WskControlSocket with one code.
    Control(Function, u32, CallEffect),
    /// Of a callback.
    Event(EventFunction, EventEffect),
}

/// Control codes with mutations of their own. Others are those of the function's.
const CODES: &[(Function, u32, &str)] = &[
    (Function::ControlClient, WSK_TRANSPORT_LIST_QUERY, "WSK_TRANSPORT_LIST_QUERY"),
    (Function::ControlClient, WSK_TRANSPORT_LIST_CHANGE, "WSK_TRANSPORT_LIST_CHANGE"),
    (Function::ControlClient, WSK_TDI_BEHAVIOR, "WSK_TDI_BEHAVIOR"),
    (Function::ControlClient, WSK_CACHE_SD, "WSK_CACHE_SD"),
    (Function::ControlClient, WSK_RELEASE_SD, "WSK_RELEASE_SD"),
    (Function::ControlClient, WSK_SET_STATIC_EVENT_CALLBACKS, "WSK_SET_STATIC_EVENT_CALLBACKS"),
    (Function::ControlSocket, SO_WSK_EVENT_CALLBACK, "SO_WSK_EVENT_CALLBACK"),
    (Function::ControlSocket, SO_WSK_SECURITY, "SO_WSK_SECURITY"),
    (Function::ControlSocket, SO_CONDITIONAL_ACCEPT, "SO_CONDITIONAL_ACCEPT"),
    (Function::ControlSocket, SIO_WSK_SET_REMOTE_ADDRESS, "SIO_WSK_SET_REMOTE_ADDRESS"),
    (Function::ControlSocket, SIO_WSK_SET_SENDTO_ADDRESS, "SIO_WSK_SET_SENDTO_ADDRESS"),
    (Function::ControlSocket, SIO_WSK_QUERY_IDEAL_SEND_BACKLOG, "SIO_WSK_QUERY_IDEAL_SEND_BACKLOG"),
    (Function::ControlSocket, SIO_WSK_QUERY_RECEIVE_BACKLOG, "SIO_WSK_QUERY_RECEIVE_BACKLOG"),
    (Function::ControlSocket, SIO_WSK_QUERY_INSPECT_ID, "SIO_WSK_QUERY_INSPECT_ID"),
];

impl Mutation {
    /// Every mutation, each with a name of its own.
    pub fn all() -> impl Iterator<Item = Self> {
        let calls = Function::ALL.iter().flat_map(|&function| {
            let effects = CallEffect::of(function).into_iter();
            // Of one code only.
            let effects = effects.filter(|effect| *effect != CallEffect::KeepsEvents);
            effects.map(move |effect| Self::Call(function, effect))
        });
        let controls = CODES.iter().flat_map(|&(function, code, _)| {
            let effects = CallEffect::of(function).into_iter();
            let effects = effects
                .filter(move |effect| *effect != CallEffect::KeepsEvents || code == SO_WSK_EVENT_CALLBACK);
            effects.map(move |effect| Self::Control(function, code, effect))
        });
        let events = EventFunction::ALL.iter().flat_map(|&function| {
            EventEffect::of(function).into_iter().map(move |effect| Self::Event(function, effect))
        });
        calls.chain(controls).chain(events)
    }

    /// Whether requests or sockets may remain that never end.
    #[must_use]
    pub const fn may_hang(self) -> bool {
        match self {
            Self::Call(function, effect) | Self::Control(function, _, effect) => effect.may_hang(function),
            Self::Event(_, effect) => effect.may_hang(),
        }
    }

    /// Whether a client that keeps the rules may use memory that is gone.
    #[must_use]
    pub const fn may_crash(self) -> bool {
        match self {
            Self::Call(function, effect) | Self::Control(function, _, effect) => effect.may_crash(function),
            Self::Event(_, effect) => effect.may_crash(),
        }
    }

    /// Whether it only makes a function useless, which whoever calls it notices, whatever rule it is about. That one control is
    /// refused is what some rules are about.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        match self {
            Self::Call(_, effect) => matches!(effect, CallEffect::Fails | CallEffect::NeverCompletes),
            Self::Control(_, _, effect) => matches!(effect, CallEffect::NeverCompletes),
            Self::Event(..) => false,
        }
    }

    /// Whether it changes what happens in a call of `function`, with this code if it is a control.
    #[must_use]
    pub fn concerns(self, function: Function, code: Option<u32>) -> bool {
        match self {
            // What a function has of its own is for the codes that have none.
            Self::Call(mutated, _) => {
                mutated == function && !code.is_some_and(|code| has_own(function, code))
            }
            Self::Control(mutated, of_code, _) => mutated == function && code == Some(of_code),
            Self::Event(..) => false,
        }
    }

    /// Whether it changes what happens in a callback.
    #[must_use]
    pub fn concerns_event(self, function: EventFunction) -> bool {
        matches!(self, Self::Event(mutated, _) if mutated == function)
    }
}

fn has_own(function: Function, code: u32) -> bool {
    CODES.iter().any(|&(of, own, _)| of == function && own == code)
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The two functions of this name.
            Self::Call(function @ (Function::ReleaseDatagrams | Function::ReleaseData), effect) => {
                let what = if *function == Function::ReleaseData { "data" } else { "datagrams" };
                write!(f, "{function} of {what} {effect}")
            }
            Self::Call(function, effect) => write!(f, "{function} {effect}"),
            Self::Control(function, code, effect) => {
                let name = CODES.iter().find(|(of, own, _)| of == function && own == code);
                write!(f, "{} {effect}", name.map_or("a control", |(_, _, name)| name))
            }
            Self::Event(function, effect) => write!(f, "{function} {effect}"),
        }
    }
}

/// A provider with one [`Mutation`].
#[derive(Debug)]
pub struct Mutated {
    mutation: Mutation,
    /// Of calls under way whose outputs are to be put back: their outputs, as they were, by their packet; 0 of a call
    /// without one.
    before: Mutex<HashMap<u64, Vec<outputs::Saved>>>,
    /// Changes with every call that is to be overtaken or to overtake.
    turn: AtomicBool,
}

impl Mutated {
    /// A middleware that breaks this rule.
    #[must_use]
    pub fn new(mutation: Mutation) -> Self {
        Self { mutation, before: Mutex::default(), turn: AtomicBool::new(false) }
    }
}

impl Middleware for Mutated {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        match self.mutation {
            Mutation::Call(_, effect) | Mutation::Control(_, _, effect)
                if self.mutation.concerns(call.function(), call.arguments.control_code()) =>
            {
                self.mutate_call(effect, call)
            }
            _ => call.pass(),
        }
    }

    fn complete(&self, completion: Completion) {
        match self.mutation {
            Mutation::Call(_, effect) | Mutation::Control(_, _, effect)
                if self.mutation.concerns(completion.function(), completion.arguments().control_code()) =>
            {
                self.mutate_completion(effect, completion);
            }
            _ => completion.pass(),
        }
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        match self.mutation {
            Mutation::Event(function, effect) if function == event.function() => {
                events::mutate(effect, event)
            }
            _ => event.pass(),
        }
    }
}
