//! Socket options by level. The argument is a `ULONG` unless something else is said.

/// Level of options of every socket.
pub const SOL_SOCKET: u32 = 0xFFFF;
/// Level of IPv4 options; as a protocol, any.
pub const IPPROTO_IP: u32 = 0;
/// Protocol: ICMP.
pub const IPPROTO_ICMP: u32 = 1;
/// Protocol, and level of its options: TCP.
pub const IPPROTO_TCP: u32 = 6;
/// Protocol, and level of its options: UDP.
pub const IPPROTO_UDP: u32 = 17;
/// Level of IPv6 options.
pub const IPPROTO_IPV6: u32 = 41;
/// Protocol: ICMP of IPv6.
pub const IPPROTO_ICMPV6: u32 = 58;

/// [`SOL_SOCKET`]: several sockets may bind the same address.
pub const SO_REUSEADDR: u32 = 0x0004;
/// [`SOL_SOCKET`]: nobody else may bind the same address, whatever they ask for. Before bind.
pub const SO_EXCLUSIVEADDRUSE: u32 = 0xFFFF_FFFB;
/// [`SOL_SOCKET`]: probes idle connections.
pub const SO_KEEPALIVE: u32 = 0x0008;
/// [`SOL_SOCKET`]: allows sending to broadcast addresses.
pub const SO_BROADCAST: u32 = 0x0020;
/// [`SOL_SOCKET`]: bytes that the transport may hold for sending.
pub const SO_SNDBUF: u32 = 0x1001;
/// [`SOL_SOCKET`]: bytes that the transport may hold of what was received.
pub const SO_RCVBUF: u32 = 0x1002;
/// [`SOL_SOCKET`]: the client decides on every connection. Listening sockets, before bind.
pub const SO_CONDITIONAL_ACCEPT: u32 = 0x3002;
/// [`SOL_SOCKET`]: the network compartment.
pub const SO_COMPARTMENT_ID: u32 = 0x3004;
/// [`SOL_SOCKET`]: the wildcard port is chosen at random.
pub const SO_RANDOMIZE_PORT: u32 = 0x3005;
/// [`SOL_SOCKET`]: wildcard ports are allocated per remote address.
pub const SO_PORT_SCALABILITY: u32 = 0x3006;
/// [`SOL_SOCKET`], as a control message: when a datagram was received. Windows 10 build 20348 and later.
pub const SO_TIMESTAMP: u32 = 0x300A;
/// [`SOL_SOCKET`], as a control message: the number under which a sent datagram's time can be asked for.
pub const SO_TIMESTAMP_ID: u32 = 0x300B;
/// [`SOL_SOCKET`]: report hop limits. Windows 11 24H2 and later; not verified through WSK.
pub const SO_RECEIVED_HOPLIMIT: u32 = 0x3010;
/// [`SOL_SOCKET`]: report the receiving processor. Windows 11 24H2 and later; not verified through WSK.
pub const SO_RECEIVED_PROCESSOR: u32 = 0x3011;

/// [`IPPROTO_IP`]: IP options; as a control message without payload, see `ControlMessage::IP_OPTIONS`.
pub const IP_OPTIONS: u32 = 1;
/// [`IPPROTO_IP`]: what is sent over a raw socket begins with its IP header.
pub const IP_HDRINCL: u32 = 2;
/// [`IPPROTO_IP`]: type of service; also a control message.
pub const IP_TOS: u32 = 3;
/// [`IPPROTO_IP`]: time to live; also a control message.
pub const IP_TTL: u32 = 4;
/// [`IPPROTO_IP`]: datagrams are not to be fragmented.
pub const IP_DONTFRAGMENT: u32 = 14;
/// [`IPPROTO_IP`]: report destination and interface; also a control message.
pub const IP_PKTINFO: u32 = 19;
/// [`IPPROTO_IP`]: report times to live.
pub const IP_HOPLIMIT: u32 = 21;
/// Another name of [`IP_HOPLIMIT`].
pub const IP_RECVTTL: u32 = 21;
/// [`IPPROTO_IP`]: receive broadcasts.
pub const IP_RECEIVE_BROADCAST: u32 = 22;
/// [`IPPROTO_IP`]: the interface to send through, its index in **network** byte order.
pub const IP_UNICAST_IF: u32 = 31;
/// [`IPPROTO_IP`]: report types of service.
pub const IP_RECVTOS: u32 = 40;
/// [`IPPROTO_IP`]: report congestion bits; also a control message.
pub const IP_ECN: u32 = 50;
/// Another name of [`IP_ECN`].
pub const IP_RECVECN: u32 = 50;
/// [`IPPROTO_IP`]: as [`IP_PKTINFO`], with the compartment.
pub const IP_PKTINFO_EX: u32 = 51;
/// [`IPPROTO_IP`]: whether the path MTU is discovered, one of `IP_PMTUDISC_`.
pub const IP_MTU_DISCOVER: u32 = 71;
/// [`IPPROTO_IP`]: the path MTU of a connected socket.
pub const IP_MTU: u32 = 73;
/// [`IPPROTO_IP`]: indicate ICMP errors; also a control message.
pub const IP_RECVERR: u32 = 75;
/// [`IPPROTO_IP`]: an upper bound of the path MTU.
pub const IP_USER_MTU: u32 = 76;

/// [`IP_MTU_DISCOVER`]: as the system does it.
pub const IP_PMTUDISC_NOT_SET: u32 = 0;
/// [`IP_MTU_DISCOVER`]: nothing is fragmented, and the path MTU is heeded.
pub const IP_PMTUDISC_DO: u32 = 1;
/// [`IP_MTU_DISCOVER`]: everything may be fragmented.
pub const IP_PMTUDISC_DONT: u32 = 2;
/// [`IP_MTU_DISCOVER`]: nothing is fragmented, and the path MTU is not heeded.
pub const IP_PMTUDISC_PROBE: u32 = 3;

/// [`IPPROTO_IPV6`]: hop limit of unicast that is sent.
pub const IPV6_UNICAST_HOPS: u32 = 4;
/// [`IPPROTO_IPV6`]: what is sent over a raw socket begins with its IP header.
pub const IPV6_HDRINCL: u32 = 2;
/// [`IPPROTO_IPV6`]: datagrams are not to be fragmented.
pub const IPV6_DONTFRAG: u32 = 14;
/// [`IPPROTO_IPV6`]: report destination and interface; also a control message.
pub const IPV6_PKTINFO: u32 = 19;
/// [`IPPROTO_IPV6`]: report hop limits; also a control message.
pub const IPV6_HOPLIMIT: u32 = 21;
/// [`IPPROTO_IPV6`]: 0 makes the socket serve IPv4 as well, under mapped addresses. Before bind.
pub const IPV6_V6ONLY: u32 = 27;
/// [`IPPROTO_IPV6`]: the interface to send through, its index in **host** byte order.
pub const IPV6_UNICAST_IF: u32 = 31;
/// [`IPPROTO_IPV6`], as a control message: routing header; without payload, see `ControlMessage::IPV6_RTHDR`.
pub const IPV6_RTHDR: u32 = 32;
/// [`IPPROTO_IPV6`]: traffic class; also a control message.
pub const IPV6_TCLASS: u32 = 39;
/// [`IPPROTO_IPV6`]: report traffic classes.
pub const IPV6_RECVTCLASS: u32 = 40;
/// [`IPPROTO_IPV6`]: report congestion bits; also a control message.
pub const IPV6_ECN: u32 = 50;
/// Another name of [`IPV6_ECN`].
pub const IPV6_RECVECN: u32 = 50;
/// [`IPPROTO_IPV6`]: as [`IPV6_PKTINFO`], with the compartment.
pub const IPV6_PKTINFO_EX: u32 = 51;
/// [`IPPROTO_IPV6`]: whether the path MTU is discovered.
pub const IPV6_MTU_DISCOVER: u32 = 71;
/// [`IPPROTO_IPV6`]: the path MTU of a connected socket.
pub const IPV6_MTU: u32 = 72;
/// [`IPPROTO_IPV6`]: indicate ICMPv6 errors; also a control message.
pub const IPV6_RECVERR: u32 = 75;
/// [`IPPROTO_IPV6`]: an upper bound of the path MTU.
pub const IPV6_USER_MTU: u32 = 76;

/// [`IPPROTO_UDP`]: send without checksum. IPv4 only.
pub const UDP_NOCHECKSUM: u32 = 1;
/// [`IPPROTO_UDP`]: cut every buffer into datagrams of this size; also a control message. That the option can be read
/// says that the system can do it.
pub const UDP_SEND_MSG_SIZE: u32 = 2;
/// [`IPPROTO_UDP`]: the largest buffer that received datagrams may be joined in; 65527 at most, 0 is off.
pub const UDP_RECV_MAX_COALESCED_SIZE: u32 = 3;
/// [`IPPROTO_UDP`], as a control message: the size of the datagrams joined in a buffer.
pub const UDP_COALESCED_INFO: u32 = 3;
/// [`IPPROTO_UDP`]: how much of a datagram the checksum covers.
pub const UDP_CHECKSUM_COVERAGE: u32 = 20;

/// [`IPPROTO_TCP`]: segments go out as soon as there is data.
pub const TCP_NODELAY: u32 = 1;
/// [`IPPROTO_TCP`]: seconds that a connection is idle before [`SO_KEEPALIVE`] probes it.
pub const TCP_KEEPALIVE: u32 = 3;
/// Another name of [`TCP_KEEPALIVE`].
pub const TCP_KEEPIDLE: u32 = 3;
/// [`IPPROTO_TCP`]: bytes of data in a segment at most. Can only be got.
pub const TCP_MAXSEG: u32 = 4;
/// [`IPPROTO_TCP`]: seconds of retransmission after which a connection is given up.
pub const TCP_MAXRT: u32 = 5;
/// [`IPPROTO_TCP`]: data goes out with the connection request, and is taken with one.
pub const TCP_FASTOPEN: u32 = 15;
/// [`IPPROTO_TCP`]: probes without an answer after which a connection is given up.
pub const TCP_KEEPCNT: u32 = 16;
/// [`IPPROTO_TCP`]: seconds between probes.
pub const TCP_KEEPINTVL: u32 = 17;
