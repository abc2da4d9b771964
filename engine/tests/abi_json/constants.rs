//! Every constant of the fact sheet, as the crate declares it.

use skua_engine::abi::cmsg::*;
use skua_engine::abi::nt::*;
use skua_engine::abi::sockaddr::*;
use skua_engine::abi::wsk::*;

/// A constant's value as the fact sheet writes it: the bits of its type, without a sign.
pub(crate) trait Value {
    /// The bits.
    fn bits(self) -> u64;
}

macro_rules! values {
    ($($ty:ty as $unsigned:ty),+) => {$(
        impl Value for $ty {
            fn bits(self) -> u64 {
                u64::try_from(self as $unsigned).expect("at most 64 bits")
            }
        }
    )+};
}
values!(u8 as u8, i8 as u8, u16 as u16, i16 as u16, u32 as u32, i32 as u32, u64 as u64, usize as usize);

impl Value for WSK_CONTROL_SOCKET_TYPE {
    fn bits(self) -> u64 {
        self.0.bits()
    }
}

impl Value for WSK_INSPECT_ACTION {
    fn bits(self) -> u64 {
        self.0.bits()
    }
}

macro_rules! constants {
    ($($name:ident),+ $(,)?) => { vec![$((stringify!($name), Value::bits($name))),+] };
}

/// All of them, and the macros with constant arguments.
pub(crate) fn constants() -> Vec<(&'static str, u64)> {
    let mut all = constants! {
        AF_INET, AF_INET6, AF_UNSPEC, AI_CANONNAME, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE,
        APC_LEVEL, DISPATCH_LEVEL, HighPagePriority, IOC_IN, IOC_OUT, IOC_VENDOR, IOC_VOID, IOC_WS2,
        IOC_WSK, IO_NETWORK_INCREMENT, IO_NO_INCREMENT, IO_TYPE_DEVICE, IO_TYPE_DRIVER, IO_TYPE_IRP,
        IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, IPV6_DONTFRAG, IPV6_ECN, IPV6_HOPLIMIT,
        IPV6_MTU, IPV6_MTU_DISCOVER, IPV6_PKTINFO, IPV6_PKTINFO_EX, IPV6_RECVECN, IPV6_RECVERR,
        IPV6_RECVTCLASS, IPV6_RTHDR, IPV6_TCLASS, IPV6_UNICAST_IF, IPV6_USER_MTU, IPV6_V6ONLY,
        IP_DONTFRAGMENT, IP_ECN, IP_HOPLIMIT, IP_MTU, IP_MTU_DISCOVER, IP_OPTIONS, IP_PKTINFO,
        IP_PKTINFO_EX, IP_RECEIVE_BROADCAST, IP_RECVECN, IP_RECVERR, IP_RECVTOS, IP_RECVTTL, IP_TOS,
        IP_TTL, IP_UNICAST_IF, IP_USER_MTU, IRP_MJ_MAXIMUM_FUNCTION, LowPagePriority,
        MDL_ALLOCATED_FIXED_SIZE, MDL_IO_PAGE_READ, MDL_MAPPED_TO_SYSTEM_VA, MDL_MAPPING_CAN_FAIL,
        MDL_NETWORK_HEADER, MDL_PAGES_LOCKED, MDL_PARTIAL, MDL_PARTIAL_HAS_BEEN_MAPPED,
        MDL_SOURCE_IS_NONPAGED_POOL, MDL_WRITE_OPERATION, MEMORY_ALLOCATION_ALIGNMENT, MSG_BCAST,
        MSG_CTRUNC, MSG_MCAST, MSG_TRUNC, NI_DGRAM, NI_NAMEREQD, NI_NOFQDN, NI_NUMERICHOST,
        NI_NUMERICSERV, NS_ALL, NonPagedPool, NonPagedPoolNx, NormalPagePriority, PAGE_SIZE,
        PASSIVE_LEVEL, PagedPool, SIO_ADDRESS_LIST_CHANGE, SIO_ADDRESS_LIST_QUERY,
        SIO_ADDRESS_LIST_SORT, SIO_CPU_AFFINITY, SIO_LOOPBACK_FAST_PATH, SIO_QUERY_RSS_PROCESSOR_INFO,
        SIO_QUERY_RSS_SCALABILITY_INFO, SIO_UDP_CONNRESET, SIO_WSK_QUERY_IDEAL_SEND_BACKLOG,
        SIO_WSK_QUERY_INSPECT_ID, SIO_WSK_QUERY_RECEIVE_BACKLOG, SIO_WSK_REGISTER_EXTENSION,
        SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS, SIO_WSK_SET_TCP_SILENT_MODE,
        SL_ERROR_RETURNED, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR, SL_INVOKE_ON_SUCCESS,
        SL_PENDING_RETURNED, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOL_SOCKET, SO_BROADCAST,
        SO_COMPARTMENT_ID, SO_CONDITIONAL_ACCEPT, SO_EXCLUSIVEADDRUSE, SO_KEEPALIVE,
        SO_PORT_SCALABILITY, SO_RANDOMIZE_PORT, SO_RCVBUF, SO_RECEIVED_HOPLIMIT, SO_RECEIVED_PROCESSOR,
        SO_REUSEADDR, SO_SNDBUF, SO_WSK_EVENT_CALLBACK, SO_WSK_SECURITY, UDP_CHECKSUM_COVERAGE,
        UDP_COALESCED_INFO, UDP_NOCHECKSUM, UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE,
        WSK_CACHE_SD, WSK_EVENT_ACCEPT, WSK_EVENT_DISABLE, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE,
        WSK_EVENT_RECEIVE_FROM, WSK_EVENT_SEND_BACKLOG, WSK_FLAG_ABORTIVE, WSK_FLAG_AT_DISPATCH_LEVEL,
        WSK_FLAG_BASIC_SOCKET, WSK_FLAG_CONNECTION_SOCKET, WSK_FLAG_DATAGRAM_SOCKET, WSK_FLAG_DRAIN,
        WSK_FLAG_ENTIRE_MESSAGE, WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_NODELAY, WSK_FLAG_OOB,
        WSK_FLAG_RELEASE_ASAP, WSK_FLAG_STREAM_SOCKET, WSK_FLAG_WAITALL, WSK_INFINITE_WAIT, WSK_NO_WAIT,
        WSK_RELEASE_SD, WSK_SET_STATIC_EVENT_CALLBACKS, WSK_SO_BASE, WSK_TDI_BEHAVIOR,
        WSK_TDI_BEHAVIOR_BYPASS_TDI, WSK_TDI_DEVICENAME_MAPPING, WSK_TRANSPORT_LIST_CHANGE,
        WSK_TRANSPORT_LIST_QUERY, WskControlMax, WskGetOption, WskInspectAccept, WskInspectMax,
        WskInspectPend, WskInspectReject, WskIoctl, WskSetOption,
    };
    all.push(("MAKE_WSK_VERSION(1,0)", make_wsk_version(1, 0).bits()));
    for (name, value) in [
        ("WSA_CMSG_LEN(0)", wsa_cmsg_len(0)),
        ("WSA_CMSG_LEN(4)", wsa_cmsg_len(4)),
        ("WSA_CMSG_LEN(8)", wsa_cmsg_len(8)),
        ("WSA_CMSG_LEN(20)", wsa_cmsg_len(20)),
        ("WSA_CMSG_SPACE(0)", wsa_cmsg_space(0)),
        ("WSA_CMSG_SPACE(4)", wsa_cmsg_space(4)),
        ("WSA_CMSG_SPACE(8)", wsa_cmsg_space(8)),
        ("WSA_CMSG_SPACE(20)", wsa_cmsg_space(20)),
    ] {
        all.push((name, value.bits()));
    }
    all
}
