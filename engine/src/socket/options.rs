//! What a socket is opened with.

// UNSAFETY: a constructor whose arguments the caller vouches for, and threads that pass them on.
#![expect(unsafe_code, reason = "process and thread are addresses that the provider follows")]

use core::marker::PhantomData;
use core::net::{IpAddr, SocketAddr};
use core::ptr::null_mut;

use crate::abi::nt::{PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR};
use crate::abi::sockaddr::{
    AF_INET, AF_INET6, IP_HOPLIMIT, IP_PKTINFO, IP_RECVTOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_HOPLIMIT,
    IPV6_PKTINFO, IPV6_RECVTCLASS,
};
use crate::kernel::Kernel;
use crate::security::SecurityDescriptor;

/// Whether a datagram must carry a control message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Info {
    /// It is not asked for.
    #[default]
    Off,
    /// It is asked for; a datagram without it is counted and handled all the same. Under memory pressure stacks leave
    /// control messages out.
    Wanted,
    /// It is asked for, a socket that cannot give it does not open, and a datagram without it is dropped as
    /// `missing_info`.
    Required,
}

/// The control messages that a socket asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// Destination address and interface (IP_PKTINFO, IPV6_PKTINFO).
    pub packet_info: Info,
    /// DSCP and ECN (IP_RECVTOS, IPV6_RECVTCLASS).
    pub type_of_service: Info,
    /// Time to live (IP_HOPLIMIT, IPV6_HOPLIMIT).
    pub hop_limit: Info,
    /// The stack's own receive time (SIO_TIMESTAMPING).
    pub timestamp: Info,
    /// Buffers of several datagrams (UDP_RECV_MAX_COALESCED_SIZE), which cost the stack and the engine less than one indication for
    /// each. The handler sees every datagram by itself, where it lies, marked [`RecordFlags::COALESCED`]. A datagram that came
    /// alone has no message for it, so none is ever dropped for lack of one. Off by default: network cards and drivers are known
    /// that join datagrams and do not say where they end.
    ///
    /// [`RecordFlags::COALESCED`]: skua_record::RecordFlags::COALESCED
    pub coalesced: Info,
}

impl Wanted {
    /// Whether any is asked for.
    pub(crate) fn any(&self) -> bool {
        let Self { packet_info, type_of_service, hop_limit, timestamp, coalesced } = *self;
        [packet_info, type_of_service, hop_limit, timestamp, coalesced].iter().any(|&info| info != Info::Off)
    }
}

/// Who may bind to the same port besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sharing {
    /// Nobody (SO_EXCLUSIVEADDRUSE): no other program can take datagrams away.
    #[default]
    Exclusive,
    /// What the transport allows by default.
    Default,
    /// Who asks for it too (SO_REUSEADDR).
    Reuse,
}

/// Whose security context the bind is checked with, and how others may share the address.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    pub(crate) process: PEPROCESS,
    pub(crate) thread: PETHREAD,
    pub(crate) descriptor: PSECURITY_DESCRIPTOR,
    lent: PhantomData<&'a ()>,
}

// SAFETY: objects of the kernel, which are not followed here and which any thread may pass to WskSocket.
unsafe impl Send for Owner<'_> {}
// SAFETY: as for Send.
unsafe impl Sync for Owner<'_> {}

impl Default for Owner<'_> {
    /// The calling process, and a socket that is not shareable.
    fn default() -> Self {
        Owner::CALLER
    }
}

impl Owner<'static> {
    /// The calling process, and a socket that is not shareable.
    pub const CALLER: Self =
        Self { process: null_mut(), thread: null_mut(), descriptor: null_mut(), lent: PhantomData };
}

impl<'a> Owner<'a> {
    /// A process, and a thread of it whose impersonation counts instead (null: none).
    ///
    /// # Safety
    /// Both are null or referenced for as long as sockets are opened with it: until the open has returned or a
    /// [`Listener`](crate::Listener) is closed, and, where one was given up with STATUS_IO_TIMEOUT, until the
    /// registration is closed.
    #[must_use]
    pub const unsafe fn new(process: PEPROCESS, thread: PETHREAD) -> Self {
        Self { process, thread, descriptor: null_mut(), lent: PhantomData }
    }

    /// Whether memory is referred to that is lent for the time of the open only.
    pub(crate) fn has_descriptor(&self) -> bool {
        !self.descriptor.is_null()
    }

    /// The same, with a descriptor against which others that want to share the address are checked.
    #[must_use]
    pub fn with_descriptor<K: Kernel>(self, descriptor: &'a SecurityDescriptor<'_, K>) -> Self {
        Self { descriptor: descriptor.as_ptr(), ..self }
    }
}

/// Every parameter of WskSocket, bind and the options in between.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions<'a> {
    /// Address and port to bind to: the family of the socket is its family. Port 0 lets the stack choose.
    pub local: SocketAddr,
    /// The one address that datagrams come from and go to (SIO_WSK_SET_REMOTE_ADDRESS, after the bind); anyone's if `None`.
    /// What is sent to another one still goes there.
    pub remote: Option<SocketAddr>,
    /// An IPv6 socket takes IPv6 only. Off, one bound to `::` takes IPv4 as well.
    pub only_v6: bool,
    /// Who may bind to the same port besides.
    pub sharing: Sharing,
    /// The control messages to ask for.
    pub wanted: Wanted,
    /// Bytes the stack may hold for the socket (SO_RCVBUF); the transport's default if `None`.
    pub receive_buffer: Option<u32>,
    /// Sends to broadcast addresses are allowed (SO_BROADCAST).
    pub broadcast: bool,
    /// SOCK_DGRAM, or SOCK_RAW, which takes a privilege: then datagrams are those of the protocol, with the IP header for
    /// IPv4.
    pub socket_type: u16,
    /// IPPROTO_UDP unless the embedder knows better.
    pub protocol: u32,
    /// On whose behalf the socket is opened.
    pub owner: Owner<'a>,
    /// The number under which records name the socket.
    pub id: u16,
}

impl SocketOptions<'_> {
    /// Exclusive use of `local`, no control messages, defaults for the rest.
    #[must_use]
    pub fn new(local: SocketAddr) -> Self {
        Self {
            local,
            remote: None,
            only_v6: false,
            sharing: Sharing::default(),
            wanted: Wanted::default(),
            receive_buffer: None,
            broadcast: false,
            socket_type: crate::abi::sockaddr::SOCK_DGRAM,
            protocol: crate::abi::sockaddr::IPPROTO_UDP,
            owner: Owner::default(),
            id: 0,
        }
    }

    /// The remote address as the socket takes it: one of IPv6 takes IPv4 addresses mapped.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.remote.map(|remote| match (self.local, remote) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            (_, same) => same,
        })
    }

    pub(super) fn family(&self) -> u16 {
        if self.local.is_ipv4() { AF_INET } else { AF_INET6 }
    }

    /// Whether the socket takes datagrams of both families.
    pub(super) fn is_dual(&self) -> bool {
        !self.only_v6 && matches!(self.local.ip(), IpAddr::V6(address) if address.is_unspecified())
    }

    /// The switches behind [`Wanted`] that are options: level, option, and how much it is wanted. A dual-stack socket
    /// needs those of both families.
    pub(super) fn info_options(&self) -> impl Iterator<Item = (u32, u32, Info)> {
        let Wanted { packet_info, type_of_service, hop_limit, .. } = self.wanted;
        let v4 = [
            (IPPROTO_IP, IP_PKTINFO, packet_info),
            (IPPROTO_IP, IP_RECVTOS, type_of_service),
            (IPPROTO_IP, IP_HOPLIMIT, hop_limit),
        ];
        let v6 = [
            (IPPROTO_IPV6, IPV6_PKTINFO, packet_info),
            (IPPROTO_IPV6, IPV6_RECVTCLASS, type_of_service),
            (IPPROTO_IPV6, IPV6_HOPLIMIT, hop_limit),
        ];
        let with_v4 = self.local.is_ipv4() || self.is_dual();
        let with_v6 = self.local.is_ipv6();
        let v4 = v4.into_iter().filter(move |_| with_v4);
        let v6 = v6.into_iter().filter(move |_| with_v6);
        v6.chain(v4).filter(|&(_, _, info)| info != Info::Off)
    }
}
