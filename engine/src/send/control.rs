//! What a sender may say about a datagram besides its bytes.

use core::net::IpAddr;

use crate::abi::cmsg::{CMSGHDR, ControlMessage, IN_PKTINFO, IN6_PKTINFO, wsa_cmsg_space};
use crate::address::{Address, Endpoint};

/// Per-send settings that travel as control messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// Source address and interface index (0: by route). For a socket bound to several addresses.
    pub source: Option<(IpAddr, u32)>,
    /// DSCP and ECN, one octet.
    pub type_of_service: Option<u8>,
    /// Time to live. Documented for Winsock; not verified through WSK.
    pub hop_limit: Option<u8>,
    /// Cut each buffer into datagrams of so many bytes (UDP_SEND_MSG_SIZE), where the stack can.
    pub segment: Option<u32>,
}

/// Bytes that all messages of [`SendOptions`] take: IPv6 packet information, the filler beside a lone one, three words.
pub(crate) const CONTROL_BYTES: usize =
    wsa_cmsg_space(size_of::<IN6_PKTINFO>()) + wsa_cmsg_space(0) + 3 * wsa_cmsg_space(size_of::<i32>());

/// Control messages of one send.
///
/// # Invariants
/// The first `length` bytes are whole messages.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct Control {
    bytes: [u8; CONTROL_BYTES],
    length: u32,
}

impl Control {
    pub(crate) const EMPTY: Self = Self { bytes: [0; CONTROL_BYTES], length: 0 };

    /// Makes these the messages for a send to `remote`; false if the source is of another family. An IPv4 remote takes those of
    /// IPv4, also on a dual-stack socket. In place, because they are large for a stack at DISPATCH_LEVEL.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub(crate) fn set(&mut self, options: &SendOptions, remote: &Endpoint) -> bool {
        self.length = 0;
        if *options == SendOptions::default() {
            return true;
        }
        let is_ipv4 = remote.address.as_ipv4().is_some();
        if let Some((source, interface)) = options.source {
            let source = Address::from(source);
            if source.as_ipv4().is_some() != is_ipv4 {
                return false;
            }
            self.push_source(is_ipv4, source, interface);
        }
        if let Some(octet) = options.type_of_service {
            let message = if is_ipv4 { ControlMessage::IP_TOS } else { ControlMessage::IPV6_TCLASS };
            self.push(message, &i32::from(octet).to_ne_bytes());
        }
        if let Some(octet) = options.hop_limit {
            let message = if is_ipv4 { ControlMessage::IP_TTL } else { ControlMessage::IPV6_HOPLIMIT };
            self.push(message, &i32::from(octet).to_ne_bytes());
        }
        if let Some(bytes) = options.segment {
            self.push(ControlMessage::UDP_SEND_MSG_SIZE, &bytes.to_ne_bytes());
        }
        let lone = SendOptions { source: options.source, ..SendOptions::default() } == *options;
        if lone {
            // Some systems lose a lone packet information message before filters see it; an empty second one keeps it.
            self.push(if is_ipv4 { ControlMessage::IP_OPTIONS } else { ControlMessage::IPV6_RTHDR }, &[]);
        }
        true
    }

    /// Address and length as WskSendTo takes them: null and 0 if there is none.
    pub(crate) fn as_raw(&mut self) -> (*mut CMSGHDR, u32) {
        let bytes = if self.length == 0 { core::ptr::null_mut() } else { self.bytes.as_mut_ptr() };
        (bytes.cast(), self.length)
    }

    fn push_source(&mut self, is_ipv4: bool, source: Address, interface: u32) {
        if is_ipv4 {
            let octets = source.as_ipv4().unwrap_or_default();
            let info =
                IN_PKTINFO { ipi_addr: core::net::Ipv4Addr::from(octets).into(), ipi_ifindex: interface };
            self.push(ControlMessage::IP_PKTINFO, bytemuck::bytes_of(&info));
        } else {
            let info = IN6_PKTINFO {
                ipi6_addr: core::net::Ipv6Addr::from(source.octets()).into(),
                ipi6_ifindex: interface,
            };
            self.push(ControlMessage::IPV6_PKTINFO, bytemuck::bytes_of(&info));
        }
    }

    /// Appends a message. There is room for all that [`Control::set`] appends.
    fn push(&mut self, message: ControlMessage, payload: &[u8]) {
        let header = CMSGHDR::new(message, payload.len());
        let start = self.length as usize;
        let space = wsa_cmsg_space(payload.len());
        let Some(place) = self.bytes.get_mut(start..start + space) else { return };
        let (head, body) = place.split_at_mut(size_of::<CMSGHDR>());
        head.copy_from_slice(bytemuck::bytes_of(&header));
        for (to, from) in body.iter_mut().zip(payload) {
            *to = *from;
        }
        self.length = u32::try_from(start + space).unwrap_or(self.length);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::abi::cmsg::wsa_cmsg_len;

    fn control(options: &SendOptions, remote: &Endpoint) -> Control {
        let mut control = Control::EMPTY;
        assert!(control.set(options, remote));
        control
    }

    fn messages(control: &Control) -> Vec<(ControlMessage, usize)> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < control.length as usize {
            let header: CMSGHDR = bytemuck::pod_read_unaligned(&control.bytes[at..at + size_of::<CMSGHDR>()]);
            let payload = header.cmsg_len - wsa_cmsg_len(0);
            found.push((header.message(), payload));
            at += wsa_cmsg_space(payload);
        }
        assert_eq!(at, control.length as usize);
        found
    }

    fn remote(address: &str) -> Endpoint {
        Endpoint::from(address.parse::<core::net::SocketAddr>().unwrap())
    }

    #[test]
    fn nothing_said_is_no_control_data() {
        let mut control = control(&SendOptions::default(), &remote("192.0.2.1:9"));
        let (address, length) = control.as_raw();
        assert!(address.is_null() && length == 0);
    }

    #[test]
    fn a_lone_source_has_a_companion() {
        let options =
            SendOptions { source: Some(("192.0.2.2".parse().unwrap(), 3)), ..SendOptions::default() };
        let said = messages(&control(&options, &remote("192.0.2.1:9")));
        assert_eq!(said, [(ControlMessage::IP_PKTINFO, 8), (ControlMessage::IP_OPTIONS, 0)]);
    }

    #[test]
    fn everything_fits_for_ipv6() {
        let options = SendOptions {
            source: Some(("2001:db8::2".parse().unwrap(), 3)),
            type_of_service: Some(0b1011_1000),
            hop_limit: Some(7),
            segment: Some(1200),
        };
        let said = messages(&control(&options, &remote("[2001:db8::1]:9")));
        let kinds: Vec<_> = said.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(
            kinds,
            [
                ControlMessage::IPV6_PKTINFO,
                ControlMessage::IPV6_TCLASS,
                ControlMessage::IPV6_HOPLIMIT,
                ControlMessage::UDP_SEND_MSG_SIZE
            ]
        );
    }

    #[test]
    fn a_mapped_remote_takes_ipv4_messages() {
        let options = SendOptions { type_of_service: Some(1), ..SendOptions::default() };
        let said = messages(&control(&options, &remote("[::ffff:192.0.2.1]:9")));
        assert_eq!(said, [(ControlMessage::IP_TOS, 4)]);
    }
}
