//! Packets for tests.

use std::net::{IpAddr, SocketAddr};

use super::checksum::Sum;
use super::{Datagram, Version};

/// What a packet is made of.
#[derive(Clone, Debug)]
pub(crate) struct Specimen {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) port: u16,
    /// Headers of destination options before the datagram, and bytes of options over IPv4 in words.
    pub(crate) extensions: usize,
    /// A fragment's offset in units of 8 bytes, and whether more follow.
    pub(crate) fragment: Option<(u16, bool)>,
    pub(crate) payload: Vec<u8>,
}

/// A datagram over IPv4.
pub(crate) fn v4() -> Specimen {
    Specimen {
        source: [192, 0, 2, 1].into(),
        destination: [192, 0, 2, 2].into(),
        port: 9125,
        extensions: 0,
        fragment: None,
        payload: b"over IPv4".to_vec(),
    }
}

/// A datagram over IPv6.
pub(crate) fn v6() -> Specimen {
    Specimen {
        source: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
        destination: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2].into(),
        payload: b"over IPv6".to_vec(),
        ..v4()
    }
}

/// Every shape of a whole datagram.
pub(crate) fn whole() -> Vec<Specimen> {
    let with = |extensions: usize, bytes: usize| {
        [v4(), v6()].map(|specimen| Specimen { extensions, payload: vec![0xa5; bytes], ..specimen })
    };
    [with(0, 0), with(0, 1), with(0, 1400), with(1, 7), with(2, 64), with(3, 9000)].concat()
}

impl Specimen {
    pub(crate) fn version(&self) -> Version {
        if self.destination.is_ipv4() { Version::V4 } else { Version::V6 }
    }

    /// The bytes, with the right checksums.
    pub(crate) fn packet(&self) -> Vec<u8> {
        let udp = self.udp();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let bytes = 20 + self.extensions * 4;
                let [high, low] = u16::try_from(bytes + udp.len()).unwrap().to_be_bytes();
                let (offset, more) = self.fragment.unwrap_or_default();
                let [place, behind] = (offset | u16::from(more) << 13).to_be_bytes();
                let first = 0x40 | u8::try_from(bytes / 4).unwrap();
                let mut header = vec![first, 0xb9, high, low, 0, 1, place, behind, 61, 17, 0, 0];
                header.extend(source.octets());
                header.extend(destination.octets());
                // No operation.
                header.resize(bytes, 1);
                set_checksum(&mut header, 10, Sum::default());
                [header, udp].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut between = Vec::new();
                let mut next = 17;
                for _ in 0..self.extensions {
                    // Padding alone.
                    between.splice(0..0, [next, 0, 1, 4, 0, 0, 0, 0]);
                    next = 60;
                }
                if let Some((offset, more)) = self.fragment {
                    let [place, behind] = (offset << 3 | u16::from(more)).to_be_bytes();
                    between.splice(0..0, [next, 0, place, behind, 0, 0, 0, 1]);
                    next = 44;
                }
                let [high, low] = u16::try_from(between.len() + udp.len()).unwrap().to_be_bytes();
                let mut header = vec![0x6b, 0x90, 0, 0, high, low, next, 61];
                header.extend(source.octets());
                header.extend(destination.octets());
                [header, between, udp].concat()
            }
            families => panic!("{families:?}"),
        }
    }

    /// What is to be found in it.
    pub(crate) fn read(&self, packet: &[u8]) -> Option<Datagram> {
        Datagram::read(self.version(), packet, packet.len(), self.port)
    }

    pub(crate) fn sender(&self) -> SocketAddr {
        SocketAddr::new(self.source, 514)
    }

    fn udp(&self) -> Vec<u8> {
        let length = u16::try_from(8 + self.payload.len()).unwrap().to_be_bytes();
        let [from, to] = [514, self.port].map(u16::to_be_bytes);
        let mut udp = [from, to, length, [0, 0]].concat();
        udp.extend(&self.payload);
        let pseudo = Sum::default().add(&[0, 17, length[0], length[1]]);
        let pseudo = match (self.source, self.destination) {
            (IpAddr::V4(a), IpAddr::V4(b)) => pseudo.add(&a.octets()).add(&b.octets()),
            (IpAddr::V6(a), IpAddr::V6(b)) => pseudo.add(&a.octets()).add(&b.octets()),
            families => panic!("{families:?}"),
        };
        set_checksum(&mut udp, 6, pseudo);
        udp
    }
}

/// Puts the checksum that is right where zeros are.
fn set_checksum(bytes: &mut [u8], at: usize, rest: Sum) {
    let checksum = rest.add(bytes).missing();
    bytes[at..at + 2].copy_from_slice(&checksum);
}
