//! Joining and leaving multicast groups.

// UNSAFETY: control requests of a socket that the handle holds open.
#![expect(unsafe_code, reason = "`&mut` of the handle: one control request at a time")]

use core::net::{IpAddr, SocketAddr};

use bytemuck::Zeroable;

use crate::abi::sockaddr::{
    GROUP_REQ, GROUP_SOURCE_REQ, IPPROTO_IP, IPPROTO_IPV6, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP,
    MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP, SOCKADDR_INET, SOCKADDR_STORAGE,
};
use crate::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER};
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::processor::Passive;
use crate::socket::DatagramSocket;

/// A multicast group as a socket hears it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Membership {
    /// The group.
    pub group: IpAddr,
    /// The index of the interface to hear it on; 0 leaves the choice to the routing table.
    pub interface: u32,
    /// The one source to hear, of the group's family; every source if `None`.
    pub source: Option<IpAddr>,
}

/// Why a group was not joined or left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// The address is no multicast address, or the source is not of its family.
    #[error(
        "{0} is not a multicast group with a source of its family: IPv4 groups are 224.0.0.0/4, IPv6 ff00::/8"
    )]
    NotAGroup(IpAddr),
    /// The thread has raised since it took its token.
    #[error("joining waits, and the thread is above PASSIVE_LEVEL: call it outside of Dispatch::with")]
    NotPassive,
    /// The provider refused.
    #[error("group {group} on interface {interface}: {status}; check that the interface exists and is up")]
    Refused {
        /// The group.
        group: IpAddr,
        /// The interface's index.
        interface: u32,
        /// What the provider said.
        status: NTSTATUS,
    },
}

impl MembershipError {
    /// The status a driver returns for it.
    pub fn status(self) -> NTSTATUS {
        match self {
            Self::NotAGroup(_) | Self::NotPassive => STATUS_INVALID_PARAMETER,
            Self::Refused { status, .. } => status,
        }
    }
}

impl<K: Kernel, H: Handler<K>> DatagramSocket<K, H> {
    /// Joins a group.
    ///
    /// # Errors
    /// [`MembershipError`].
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn join(&mut self, membership: &Membership, passive: &Passive<'_>) -> Result<(), MembershipError> {
        self.request(membership, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP, passive)
    }

    /// Leaves a group, joined with the same interface and source.
    ///
    /// # Errors
    /// [`MembershipError`].
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub fn leave(&mut self, membership: &Membership, passive: &Passive<'_>) -> Result<(), MembershipError> {
        self.request(membership, MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP, passive)
    }

    /// [`DatagramSocket::join`] for who has only a shared reference.
    ///
    /// # Errors
    /// [`MembershipError`].
    ///
    /// # Safety
    /// No other join or leave of this socket is under way.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub unsafe fn join_shared(
        &self,
        membership: &Membership,
        passive: &Passive<'_>,
    ) -> Result<(), MembershipError> {
        self.request(membership, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP, passive)
    }

    /// [`DatagramSocket::leave`] for who has only a shared reference.
    ///
    /// # Errors
    /// [`MembershipError`].
    ///
    /// # Safety
    /// No other join or leave of this socket is under way.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    pub unsafe fn leave_shared(
        &self,
        membership: &Membership,
        passive: &Passive<'_>,
    ) -> Result<(), MembershipError> {
        self.request(membership, MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP, passive)
    }

    /// # Invariants
    /// One at a time: the callers' `&mut`, or their promise.
    fn request(
        &self,
        membership: &Membership,
        any_source: u32,
        one_source: u32,
        passive: &Passive<'_>,
    ) -> Result<(), MembershipError> {
        let Membership { group, interface, source } = *membership;
        if !group.is_multicast() || source.is_some_and(|source| source.is_ipv4() != group.is_ipv4()) {
            return Err(MembershipError::NotAGroup(group));
        }
        let core = self.core();
        if !passive.holds(&core.kernel) {
            return Err(MembershipError::NotPassive);
        }
        let level = if group.is_ipv4() { IPPROTO_IP } else { IPPROTO_IPV6 };
        let status = match source {
            None => {
                let mut request = GROUP_REQ::zeroed();
                request.gr_interface = interface;
                request.gr_group = storage(group);
                // SAFETY: the handle holds the socket open, and this is the one request.
                unsafe { core.set_option(level, any_source, request, passive) }
            }
            Some(source) => {
                let mut request = GROUP_SOURCE_REQ::zeroed();
                request.gsr_interface = interface;
                request.gsr_group = storage(group);
                request.gsr_source = storage(source);
                // SAFETY: as above.
                unsafe { core.set_option(level, one_source, request, passive) }
            }
        };
        if status.is_success() { Ok(()) } else { Err(MembershipError::Refused { group, interface, status }) }
    }
}

fn storage(address: IpAddr) -> SOCKADDR_STORAGE {
    let mut storage = SOCKADDR_STORAGE::zeroed();
    let address = SOCKADDR_INET::from(SocketAddr::new(address, 0));
    let bytes = bytemuck::bytes_of(&address);
    for (to, from) in bytemuck::bytes_of_mut(&mut storage).iter_mut().zip(bytes) {
        *to = *from;
    }
    storage
}
