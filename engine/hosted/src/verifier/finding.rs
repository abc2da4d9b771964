//! A finding: one rule that a client broke, once.

use std::fmt;

use super::{Rule, Stack};

/// What a rule was broken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObjectKind {
    /// An IRP.
    Irp,
    /// An MDL.
    Mdl,
    /// A WSK_BUF, by the address of its MDL or of the structure.
    Buffer,
    /// A KEVENT, or another object that threads wait for.
    Event,
    /// A KSPIN_LOCK.
    SpinLock,
    /// An EX_RUNDOWN_REF.
    Rundown,
    /// A mutex, semaphore, push lock or resource.
    Lock,
    /// A work item.
    WorkItem,
    /// An allocation of nonpaged pool.
    Memory,
    /// A WSK_REGISTRATION.
    Registration,
    /// A captured provider NPI, by the address of its registration or of its WSK_CLIENT.
    ProviderNpi,
    /// A WSK_SOCKET.
    Socket,
    /// A WSK_DATAGRAM_INDICATION or WSK_DATA_INDICATION.
    Indication,
    /// A security descriptor.
    SecurityDescriptor,
    /// A list of ADDRINFOEXW.
    AddressInfo,
    /// A callback, by the address of its code.
    Callback,
    /// The calling thread and its level; the address is that of nothing.
    Thread,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Irp => "IRP",
            Self::Mdl => "MDL",
            Self::Buffer => "WSK_BUF",
            Self::Event => "KEVENT",
            Self::SpinLock => "spin lock",
            Self::Rundown => "EX_RUNDOWN_REF",
            Self::Lock => "lock",
            Self::WorkItem => "work item",
            Self::Memory => "memory",
            Self::Registration => "WSK_REGISTRATION",
            Self::ProviderNpi => "provider NPI",
            Self::Socket => "WSK_SOCKET",
            Self::Indication => "indication",
            Self::SecurityDescriptor => "security descriptor",
            Self::AddressInfo => "address info",
            Self::Callback => "callback",
            Self::Thread => "thread",
        })
    }
}

/// An object by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Where it lies; 0 where it has no place.
    pub address: usize,
}

impl Object {
    /// The object of a kind at a place.
    #[must_use]
    pub fn at<T>(kind: ObjectKind, place: *const T) -> Self {
        Self { kind, address: place.addr() }
    }

    pub(crate) const THREAD: Self = Self { kind: ObjectKind::Thread, address: 0 };
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            0 => write!(f, "the calling {}", self.kind),
            address => write!(f, "{} at {address:#x}", self.kind),
        }
    }
}

/// One rule that was broken once. Its `Display` is the whole report.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// What happened, in one sentence that begins with the routine.
    pub message: String,
    /// What it happened to.
    pub object: Object,
    /// Where the object was made, or came into the client's hands. `None` when that was not seen.
    pub created: Option<Stack>,
    /// Where else the object has been, by what happened there.
    pub related: Vec<(&'static str, Stack)>,
    /// Where the rule was broken. `None` when only the outcome was seen, as of memory that was written to some time ago.
    pub broken: Option<Stack>,
}

impl Finding {
    /// One of which only the outcome was seen.
    #[cold]
    pub(crate) fn new(rule: Rule, object: Object, message: String) -> Self {
        Self { rule, message, object, created: None, related: Vec::new(), broken: None }
    }

    /// The calling thread is breaking the rule.
    pub(crate) fn here(self) -> Self {
        Self { broken: Some(Stack::capture()), ..self }
    }

    pub(crate) fn created(self, created: Option<Stack>) -> Self {
        Self { created, ..self }
    }

    pub(crate) fn related(mut self, what: &'static str, stack: Option<&Stack>) -> Self {
        self.related.extend(stack.map(|stack| (what, stack.clone())));
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "verifier: {}: {}", self.rule.id(), self.message)?;
        writeln!(f, "  rule:    {}", self.rule.meaning())?;
        writeln!(f, "  do:      {}", self.rule.advice())?;
        writeln!(f, "  object:  {}", self.object)?;
        if let Some(created) = &self.created {
            write!(f, "  created:\n{created}")?;
        }
        for (what, stack) in &self.related {
            write!(f, "  {what}:\n{stack}")?;
        }
        if let Some(broken) = &self.broken {
            write!(f, "  broken:\n{broken}")?;
        }
        Ok(())
    }
}
