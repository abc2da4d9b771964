//! Options of datagram sockets.

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{
    IP_DONTFRAGMENT, IP_ECN, IP_HOPLIMIT, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_PKTINFO, IP_RECVTOS,
    IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_DONTFRAG, IPV6_ECN, IPV6_HOPLIMIT,
    IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_PKTINFO, IPV6_RECVTCLASS, IPV6_UNICAST_HOPS, IPV6_V6ONLY,
    SO_BROADCAST, SO_EXCLUSIVEADDRUSE, SO_RCVBUF, SO_REUSEADDR, SOL_SOCKET, UDP_NOCHECKSUM,
    UDP_SEND_MSG_SIZE,
};
use skua_engine::abi::status::{STATUS_NOT_SUPPORTED, STATUS_SUCCESS};

use crate::client::datagram::DatagramSocket;
use crate::client::{Client, LOCALHOST, LOCALHOST_V6, needs};
use crate::outcome::{Verdict, expect, expect_at};
use crate::value::Value;

checks! { Options;
    broadcast_off: "broadcasts are off on a new socket",
        "SO_BROADCAST";
    broadcast: "SO_BROADCAST is remembered",
        "SO_BROADCAST";
    receive_buffer_there: "a receive buffer has a size from the start",
        "SO_RCVBUF";
    receive_buffer: "SO_RCVBUF is remembered",
        "SO_RCVBUF";
    reuse_off: "a new socket shares no address",
        "SO_REUSEADDR";
    reuse: "SO_REUSEADDR is remembered",
        "SO_REUSEADDR";
    exclusive: "SO_EXCLUSIVEADDRUSE is remembered",
        "SO_EXCLUSIVEADDRUSE";
    reuse_late: "SO_REUSEADDR is too late after bind",
        "SO_REUSEADDR, Remarks";
    exclusive_late: "SO_EXCLUSIVEADDRUSE is too late after bind",
        "SO_EXCLUSIVEADDRUSE, Remarks";
    reuse_and_exclusive: "an address is not both shared and exclusive",
        "SO_EXCLUSIVEADDRUSE, Remarks";
    v6only: "a socket of IPv6 is of IPv6 alone unless it is told otherwise",
        "IPV6_V6ONLY";
    v6only_off: "IPV6_V6ONLY can be cleared before bind",
        "IPV6_V6ONLY";
    v6only_late: "IPV6_V6ONLY is too late after bind",
        "IPV6_V6ONLY";
    packet_info: "IP_PKTINFO is remembered", "IP_PKTINFO";
    packet_info_v6: "IPV6_PKTINFO is remembered", "IPV6_PKTINFO";
    hop_limit: "IP_HOPLIMIT is remembered", "IP_HOPLIMIT";
    hop_limit_v6: "IPV6_HOPLIMIT is remembered", "IPV6_HOPLIMIT";
    receive_tos: "IP_RECVTOS is remembered", "IP_RECVTOS";
    receive_class: "IPV6_RECVTCLASS is remembered", "IPV6_RECVTCLASS";
    ecn: "IP_ECN is remembered", "IP_ECN";
    ecn_v6: "IPV6_ECN is remembered", "IPV6_ECN";
    tos: "IP_TOS is remembered", "IP_TOS";
    ttl: "IP_TTL is remembered", "IP_TTL";
    hops_v6: "IPV6_UNICAST_HOPS is remembered", "IPV6_UNICAST_HOPS";
    dont_fragment: "IP_DONTFRAGMENT is remembered", "IP_DONTFRAGMENT";
    dont_fragment_v6: "IPV6_DONTFRAG is remembered", "IPV6_DONTFRAG";
    multicast_ttl: "IP_MULTICAST_TTL is remembered", "IP_MULTICAST_TTL";
    multicast_ttl_1: "multicast reaches one hop unless it is told otherwise", "IP_MULTICAST_TTL";
    multicast_hops: "IPV6_MULTICAST_HOPS is remembered", "IPV6_MULTICAST_HOPS";
    multicast_loop: "IP_MULTICAST_LOOP is remembered", "IP_MULTICAST_LOOP";
    multicast_loop_v6: "IPV6_MULTICAST_LOOP is remembered", "IPV6_MULTICAST_LOOP";
    multicast_ttl_256: "a time to live beyond 255 is refused", "IP_MULTICAST_TTL";
    no_checksum: "UDP_NOCHECKSUM is remembered", "UDP_NOCHECKSUM";
    segment: "UDP_SEND_MSG_SIZE is remembered where the stack segments", "UDP_SEND_MSG_SIZE; facts 5, USO";
}

/// Sets an option on a bound socket and asks for it again. Not every transport has every option.
fn remembered<K: Kernel>(client: &Client<'_, K>, level: u32, option: u32, value: u32) -> Verdict {
    let local = if level == IPPROTO_IPV6 { LOCALHOST_V6 } else { LOCALHOST };
    let socket = DatagramSocket::bound(client, local)?;
    let status = socket.set(level, option, value)?;
    needs(status != STATUS_NOT_SUPPORTED, "this transport has no such option")?;
    expect_at("WskSetOption", STATUS_SUCCESS, status)?;
    let got = socket.get(level, option, 4)?;
    got.done.succeeds("WskGetOption")?;
    expect(value, got.word())
}

/// What an option is on a new socket.
fn at_first<K: Kernel>(client: &Client<'_, K>, level: u32, option: u32, value: u32) -> Verdict {
    let local = if level == IPPROTO_IPV6 { LOCALHOST_V6 } else { LOCALHOST };
    let socket = DatagramSocket::open(client, local)?;
    let got = socket.get(level, option, 4)?;
    needs(got.done.status != STATUS_NOT_SUPPORTED, "this transport has no such option")?;
    got.done.succeeds("WskGetOption")?;
    expect(value, got.word())
}

/// Sets an option before bind and asks for it again.
fn before_bind<K: Kernel>(client: &Client<'_, K>, level: u32, option: u32, value: u32) -> Verdict {
    let local = if level == IPPROTO_IPV6 { LOCALHOST_V6 } else { LOCALHOST };
    let socket = DatagramSocket::open(client, local)?;
    expect_at("WskSetOption", STATUS_SUCCESS, socket.set(level, option, value)?)?;
    let got = socket.get(level, option, 4)?;
    got.done.succeeds("WskGetOption")?;
    expect(value, got.word())
}

/// Sets an option after bind, which it must come before.
fn too_late<K: Kernel>(client: &Client<'_, K>, level: u32, option: u32, value: u32) -> Verdict {
    let local = if level == IPPROTO_IPV6 { LOCALHOST_V6 } else { LOCALHOST };
    let socket = DatagramSocket::bound(client, local)?;
    expect(Value::Failure, socket.set(level, option, value)?)
}

fn broadcast_off<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    at_first(client, SOL_SOCKET, SO_BROADCAST, 0)
}

fn broadcast<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, SOL_SOCKET, SO_BROADCAST, 1)
}

fn receive_buffer_there<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    let got = socket.get(SOL_SOCKET, SO_RCVBUF, 4)?;
    got.done.succeeds("WskGetOption")?;
    expect(Value::AtLeast(1), got.word())
}

fn receive_buffer<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, SOL_SOCKET, SO_RCVBUF, 40_000)
}

fn reuse_off<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    at_first(client, SOL_SOCKET, SO_REUSEADDR, 0)?;
    at_first(client, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 0)
}

fn reuse<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    before_bind(client, SOL_SOCKET, SO_REUSEADDR, 1)
}

fn exclusive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    before_bind(client, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)
}

fn reuse_late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    too_late(client, SOL_SOCKET, SO_REUSEADDR, 1)
}

fn exclusive_late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    too_late(client, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)
}

fn reuse_and_exclusive<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::open(client, LOCALHOST)?;
    expect_at("SO_REUSEADDR", STATUS_SUCCESS, socket.set(SOL_SOCKET, SO_REUSEADDR, 1)?)?;
    expect(Value::Failure, socket.set(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)?)
}

fn v6only<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    at_first(client, IPPROTO_IPV6, IPV6_V6ONLY, 1)
}

fn v6only_off<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    before_bind(client, IPPROTO_IPV6, IPV6_V6ONLY, 0)
}

fn v6only_late<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    too_late(client, IPPROTO_IPV6, IPV6_V6ONLY, 0)
}

fn packet_info<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_PKTINFO, 1)
}

fn packet_info_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IPV6, IPV6_PKTINFO, 1)
}

fn hop_limit<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_HOPLIMIT, 1)
}

fn hop_limit_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IPV6, IPV6_HOPLIMIT, 1)
}

fn receive_tos<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_RECVTOS, 1)
}

fn receive_class<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
}

fn ecn<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_ECN, 1)
}

fn ecn_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IPV6, IPV6_ECN, 1)
}

fn tos<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_TOS, 0x28)
}

fn ttl<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_TTL, 9)
}

fn hops_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9)
}

fn dont_fragment<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_DONTFRAGMENT, 1)
}

fn dont_fragment_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IPV6, IPV6_DONTFRAG, 1)
}

fn multicast_ttl<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_MULTICAST_TTL, 9)
}

fn multicast_ttl_1<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    at_first(client, IPPROTO_IP, IP_MULTICAST_TTL, 1)
}

fn multicast_hops<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9)
}

fn multicast_loop<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IP, IP_MULTICAST_LOOP, 0)
}

fn multicast_loop_v6<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
}

fn multicast_ttl_256<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    expect(Value::Failure, socket.set(IPPROTO_IP, IP_MULTICAST_TTL, 256)?)
}

fn no_checksum<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_UDP, UDP_NOCHECKSUM, 1)
}

fn segment<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    remembered(client, IPPROTO_UDP, UDP_SEND_MSG_SIZE, 1000)
}
