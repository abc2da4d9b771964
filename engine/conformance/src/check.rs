//! One rule, and how it is looked at.

use skua_engine::Kernel;
use skua_engine::abi::wsk::WSK_PROVIDER_NPI;

use crate::client::{Bench, Client, Surroundings};
use crate::outcome::{Outcome, Verdict};

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// Registering, capturing, releasing, versions.
    Registration,
    /// WskControlClient.
    ClientControl,
    /// WskSocket and its parameters.
    Creation,
    /// WskControlSocket on any category, and basic sockets.
    SocketControl,
    /// Options of sockets.
    Options,
    /// Binding, and which addresses are shared.
    Bind,
    /// WskSendTo and WskSendMessages.
    Send,
    /// WskReceiveFrom.
    Receive,
    /// WskReceiveFromEvent and WskRelease.
    ReceiveEvent,
    /// Control messages.
    ControlMessages,
    /// Multicast and broadcast.
    Multicast,
    /// WskGetAddressInfo, WskFreeAddressInfo, WskGetNameInfo.
    Names,
    /// WskCloseSocket.
    Close,
    /// IoCancelIrp.
    Cancel,
    /// IRPs, MDLs, events, levels.
    Kernel,
    /// Listening sockets.
    Listen,
    /// Connection sockets.
    Connection,
    /// Stream sockets, and WskSocketConnect.
    Stream,
    /// What crashes Windows.
    Misuse,
}

impl Category {
    /// Its name in a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::ClientControl => "client control",
            Self::Creation => "creation",
            Self::SocketControl => "socket control",
            Self::Options => "options",
            Self::Bind => "bind",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::ReceiveEvent => "receive event",
            Self::ControlMessages => "control messages",
            Self::Multicast => "multicast",
            Self::Names => "names",
            Self::Close => "close",
            Self::Cancel => "cancel",
            Self::Kernel => "kernel",
            Self::Listen => "listen",
            Self::Connection => "connection",
            Self::Stream => "stream",
            Self::Misuse => "misuse",
        }
    }
}

/// Where a check may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Anywhere: it does what a client may do.
    Contract,
    /// Over a provider whose verifier reports what would crash Windows.
    Misuse,
}

/// One rule of WSK, and the code that looks whether a provider keeps it.
#[derive(Debug)]
pub struct Check<K: Kernel> {
    /// The rule in words. It is the check's identity: tables of different runs are compared by it.
    pub name: &'static str,
    /// Where the rule is written: the page of Microsoft's driver documentation by its function or title, and what of it.
    pub citation: &'static str,
    /// Where it may run.
    pub tag: Tag,
    /// Of a misuse: the identifier of the verifier's rule that it breaks.
    pub finding: Option<&'static str>,
    pub(crate) body: Body<K>,
}

/// The code of a check.
pub(crate) type Body<K> = fn(&Client<'_, K>) -> Verdict;

impl<K: Kernel> Check<K> {
    pub(crate) const fn contract(name: &'static str, citation: &'static str, body: Body<K>) -> Self {
        Self { name, citation, tag: Tag::Contract, finding: None, body }
    }

    #[cfg(feature = "misuse")]
    pub(crate) const fn misuse(
        name: &'static str,
        citation: &'static str,
        finding: &'static str,
        body: Body<K>,
    ) -> Self {
        Self { name, citation, tag: Tag::Misuse, finding: Some(finding), body }
    }

    /// Looks whether the provider behind `npi` keeps the rule. It does not return before everything it began has ended,
    /// unless something hung.
    ///
    /// # Safety
    /// `npi` comes from a capture by `kernel` that is not released before this returns, and, when the outcome is
    /// [`Outcome::Hung`], never: what hung may still call back into this code.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL, in a thread with 12 KiB of stack left.
    // UNSAFETY: an unsafe function; its body only passes the NPI on.
    #[expect(unsafe_code, reason = "the table behind an NPI is believed")]
    pub unsafe fn run(&self, kernel: &K, npi: WSK_PROVIDER_NPI, surroundings: Surroundings) -> Outcome {
        let bench = Bench::new(kernel.clone(), surroundings);
        let client = Client::of(&bench, npi);
        let outcome = Outcome::from((self.body)(&client));
        drop(client);
        // A socket that could not be closed, say, behind a check whose own rule held.
        match (outcome, bench.hung()) {
            (Outcome::Kept(_) | Outcome::NotApplicable { .. }, Some(step)) => Outcome::Hung { step },
            _ => outcome,
        }
    }
}

/// The checks of one category.
#[derive(Debug)]
pub struct Group<K: Kernel + 'static> {
    /// What they are about.
    pub category: Category,
    /// In the order in which they run.
    pub checks: &'static [Check<K>],
}
