//! Which socket has which address, and who may share it: the table of WSK's documentation, "Sharing Transport Addresses".
//!
//! The host's stack knows other rules. So the address of each socket is bound at the host for that socket alone, which tells
//! of other programs; and where this table lets sockets of one kernel meet, all of them are made to share beneath.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, Weak};

use skua_engine::abi::status::{NTSTATUS, STATUS_ACCESS_DENIED, STATUS_ADDRESS_ALREADY_EXISTS};

use crate::kernel::lock::hold;
use crate::kernel::process::SecurityContext;
use crate::receive::unmapped;
use crate::security::{Descriptor, SHARE_ACCESS, access_check};

/// The bound sockets of one kernel but raw ones, which have no ports, by transport and port.
#[derive(Default)]
pub(crate) struct Addresses {
    bound: Mutex<HashMap<(Space, u16), Vec<Entry>>>,
}

/// What has ports of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Udp,
    Tcp,
}

/// What a socket's options say of its address. Both cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    Default,
    /// SO_REUSEADDR.
    Reuse,
    /// SO_EXCLUSIVEADDRUSE.
    Exclusive,
}

/// A socket that is bound.
pub(crate) trait Holder: Send + Sync {
    /// Lets others bind its address at the host, as far as the host can.
    fn share_address(&self);
}

/// A socket that wants an address.
pub(crate) struct Claim {
    pub(crate) space: Space,
    pub(crate) local: SocketAddr,
    /// Whether it is one of IPv6 that serves IPv4 too.
    pub(crate) serves_both: bool,
    pub(crate) sharing: Sharing,
    pub(crate) security: Option<Arc<Descriptor>>,
    pub(crate) context: SecurityContext,
    pub(crate) holder: Weak<dyn Holder>,
}

/// A socket that has one.
struct Entry {
    local: SocketAddr,
    serves_both: bool,
    sharing: Sharing,
    security: Option<Arc<Descriptor>>,
    holder: Weak<dyn Holder>,
}

/// How the bind of a second socket ends because of a first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Success,
    InUse,
    Denied,
    /// As the second's security context and the first's descriptor say.
    Check,
}

impl Addresses {
    /// Binds a socket by `bind`, which is told whether it is to share the address at the host, and returns the address with
    /// its real port.
    ///
    /// Where several sockets are in the way, being in use comes before being denied.
    pub(crate) fn bind(
        &self,
        claim: Claim,
        bind: impl FnOnce(bool) -> Result<SocketAddr, NTSTATUS>,
    ) -> Result<SocketAddr, NTSTATUS> {
        let mut bound = hold(&self.bound);
        let met: Vec<&Entry> = match claim.local.port() {
            // The host finds one that nobody has.
            0 => Vec::new(),
            port => {
                let entries = bound.get(&(claim.space, port)).into_iter().flatten();
                entries.filter(|first| claim.meets(first)).collect()
            }
        };
        let outcomes: Vec<Outcome> = met.iter().map(|first| claim.outcome(first)).collect();
        if outcomes.contains(&Outcome::InUse) {
            return Err(STATUS_ADDRESS_ALREADY_EXISTS);
        }
        if outcomes.contains(&Outcome::Denied) {
            return Err(STATUS_ACCESS_DENIED);
        }
        for holder in met.iter().filter_map(|first| first.holder.upgrade()) {
            holder.share_address();
        }
        let local = bind(!met.is_empty())?;
        bound.entry((claim.space, local.port())).or_default().push(claim.into_entry(local));
        Ok(local)
    }

    /// The socket at `holder` has given its address back to the host.
    pub(crate) fn release(&self, space: Space, local: &SocketAddr, holder: *const ()) {
        let mut bound = hold(&self.bound);
        let key = (space, local.port());
        if let Some(entries) = bound.get_mut(&key) {
            entries.retain(|entry| !std::ptr::addr_eq(entry.holder.as_ptr(), holder));
            if entries.is_empty() {
                bound.remove(&key);
            }
        }
    }
}

impl Claim {
    /// Whether there is a destination that both sockets would receive.
    fn meets(&self, first: &Entry) -> bool {
        let serve = |local: &SocketAddr, both: bool, v4: bool| both || unmapped(local.ip()).is_ipv4() == v4;
        let family = [true, false]
            .into_iter()
            .any(|v4| serve(&self.local, self.serves_both, v4) && serve(&first.local, first.serves_both, v4));
        let (second, first) = (unmapped(self.local.ip()), unmapped(first.local.ip()));
        family && (second == first || is_wildcard(second) || is_wildcard(first))
    }

    fn outcome(&self, first: &Entry) -> Outcome {
        match outcome(
            (self.sharing, is_wildcard(unmapped(self.local.ip()))),
            (first.sharing, is_wildcard(unmapped(first.local.ip()))),
        ) {
            Outcome::Check => {
                // Without a descriptor it may not be shared.
                let granted = first
                    .security
                    .as_ref()
                    .is_some_and(|descriptor| access_check(descriptor, &self.context.token(), SHARE_ACCESS));
                if granted { Outcome::Success } else { Outcome::Denied }
            }
            outcome => outcome,
        }
    }

    fn into_entry(self, local: SocketAddr) -> Entry {
        let Self { serves_both, sharing, security, holder, .. } = self;
        Entry { local, serves_both, sharing, security, holder }
    }
}

/// The wildcard of either family; `::` of a socket that serves IPv4 too is not mapped.
fn is_wildcard(address: IpAddr) -> bool {
    address == IpAddr::V4(Ipv4Addr::UNSPECIFIED) || address == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

/// The table. Sockets are given as their option, and whether they are bound to a wildcard.
fn outcome(second: (Sharing, bool), first: (Sharing, bool)) -> Outcome {
    use Outcome::{Check as C, Denied as D, InUse as U, Success as S};
    // Rows: the second socket. Columns: the first. Default, reuse, exclusive; of each wildcard, specific.
    const TABLE: [[Outcome; 6]; 6] = [
        [U, S, U, S, U, S],
        [C, U, C, D, D, U],
        [D, S, S, S, D, S],
        [C, D, S, S, D, D],
        [U, U, U, U, U, U],
        [C, U, C, U, D, U],
    ];
    let place = |(sharing, wildcard): (Sharing, bool)| {
        let option = match sharing {
            Sharing::Default => 0,
            Sharing::Reuse => 2,
            Sharing::Exclusive => 4,
        };
        option + usize::from(!wildcard)
    };
    TABLE[place(second)][place(first)]
}
