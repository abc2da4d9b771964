//! Frames in a block of a TPACKET_V3 ring, as linux/if_packet.h lays them out.
//!
//! ```text
//! block: | descriptor | frame | frame | ...                                    |
//! frame: | tpacket3_hdr | sockaddr_ll | .. | virtio_net_hdr | link | packet .. |
//!        0              48            68                    tp_mac tp_net
//! ```

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

/// TP_STATUS_CSUMNOTREADY: the sender is on this host and left the checksum to the hardware.
pub(crate) const CHECKSUM_NOT_READY: u32 = 1 << 3;
/// TP_STATUS_CSUM_VALID: the kernel or the hardware has checked it.
pub(crate) const CHECKSUM_VALID: u32 = 1 << 7;

/// `struct tpacket_block_desc` to `offset_to_first_pkt`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Descriptor {
    version: u32,
    offset_to_private: u32,
    status: u32,
    frames: u32,
    first: u32,
}

/// `struct tpacket3_hdr`, and `struct sockaddr_ll` behind it.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Header {
    next: u32,
    seconds: u32,
    nanoseconds: u32,
    captured: u32,
    length: u32,
    status: u32,
    link: u16,
    network: u16,
    _hash_and_tag: [u32; 3],
    _padding: [u32; 2],
    _family: u16,
    _protocol: u16,
    interface: u32,
    _hardware: u16,
    kind: u8,
    _address_length: u8,
    _address: [u8; 8],
}
const _: () = assert!(size_of::<Header>() == 68);

/// Bytes of `struct virtio_net_hdr`, which ends where the link header begins.
const OFFLOAD_BYTES: usize = 10;
/// Where its `gso_type` and `gso_size` are.
const OFFLOAD_TYPE: usize = 1;
const OFFLOAD_SIZE: usize = 4;
/// VIRTIO_NET_HDR_GSO_UDP_L4: datagrams of `gso_size` bytes in one.
const JOINED_DATAGRAMS: u8 = 5;

/// How a frame was addressed: `sll_pkttype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To this host, to all, or to a group.
    Here,
    /// To another host, or for a VLAN that this host has no interface for; or it is on its way out.
    Elsewhere,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where the packet lies in the block, from its network header on, as far as it was captured.
    pub(crate) packet: Range<usize>,
    /// Bytes of the packet on the wire.
    pub(crate) length: usize,
    pub(crate) kind: Kind,
    /// The interface that it came in by.
    pub(crate) interface: u32,
    /// Whether the checksum of the datagram need not be checked.
    pub(crate) is_checked: bool,
    /// Datagrams of so many bytes were joined in it, the last one of as many or fewer.
    pub(crate) joined: Option<u16>,
    /// When it came, in ns since 1970.
    pub(crate) time: u64,
}

/// A block that contradicts itself. So many of its frames cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) u32);

/// A way through the frames of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    at: usize,
    left: u32,
}

impl Walk {
    /// Before the first frame.
    pub(crate) fn of(block: &[u8]) -> Self {
        let descriptor: Descriptor = block
            .get(..size_of::<Descriptor>())
            .map(bytemuck::pod_read_unaligned)
            .unwrap_or_else(Zeroable::zeroed);
        Self { at: descriptor.first as usize, left: descriptor.frames }
    }

    /// The next frame of `block`, in a ring with or without offload headers.
    #[inline]
    pub(crate) fn next(&mut self, block: &[u8], has_offload: bool) -> Option<Result<Frame, Broken>> {
        if self.left == 0 {
            return None;
        }
        let found = self.frame(block, has_offload);
        match found {
            Some(_) => self.left -= 1,
            None => {
                let left = std::mem::take(&mut self.left);
                return Some(Err(Broken(left)));
            }
        }
        found.map(Ok)
    }

    fn frame(&mut self, block: &[u8], has_offload: bool) -> Option<Frame> {
        let at = self.at;
        let header = block.get(at..)?.get(..size_of::<Header>())?;
        let header: Header = bytemuck::pod_read_unaligned(header);
        let (link, network) = (usize::from(header.link), usize::from(header.network));
        let link_bytes = network.checked_sub(link)?;
        let captured = (header.captured as usize).saturating_sub(link_bytes);
        let start = at.checked_add(network)?;
        let end = start.checked_add(captured)?;
        if end > block.len() {
            return None;
        }
        let joined = if has_offload { joined(block, at.checked_add(link)?)? } else { None };
        // The last frame has none behind it. Frames do not overlap, so that a block leads no further than its length.
        let next = header.next as usize;
        self.at = if next < size_of::<Header>() { block.len() } else { at.checked_add(next)? };
        Some(Frame {
            packet: start..end,
            length: (header.length as usize).saturating_sub(link_bytes),
            // PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST.
            kind: if header.kind <= 2 { Kind::Here } else { Kind::Elsewhere },
            interface: header.interface,
            is_checked: header.status & (CHECKSUM_NOT_READY | CHECKSUM_VALID) != 0,
            joined,
            time: u64::from(header.seconds) * 1_000_000_000 + u64::from(header.nanoseconds),
        })
    }
}

/// What the offload header before `link` says of joined datagrams; `None` when there is no header.
fn joined(block: &[u8], link: usize) -> Option<Option<u16>> {
    let header = block.get(link.checked_sub(OFFLOAD_BYTES)?..link)?;
    if header[OFFLOAD_TYPE] != JOINED_DATAGRAMS {
        return Some(None);
    }
    let size = u16::from_ne_bytes([header[OFFLOAD_SIZE], header[OFFLOAD_SIZE + 1]]);
    Some(Some(size).filter(|size| *size > 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A block of frames as the kernel lays them out, each with its packet, `gso_type` and `gso_size`.
    fn block(frames: &[(&[u8], u8, u16)]) -> Vec<u8> {
        let mut block = vec![0; 48];
        let descriptor = Descriptor {
            version: 3,
            offset_to_private: 48,
            status: 1,
            frames: number(frames.len()),
            first: 48,
        };
        block[..20].copy_from_slice(bytemuck::bytes_of(&descriptor));
        for (packet, gso_type, gso_size) in frames {
            let (link, network) = (82u16, 96u16);
            let start = usize::from(network);
            let next = (start + packet.len()).next_multiple_of(16);
            let header = Header {
                next: number(next),
                seconds: 7,
                nanoseconds: 9,
                captured: number(packet.len()) + 14,
                length: number(packet.len()) + 14,
                status: 1 | CHECKSUM_VALID,
                link,
                network,
                interface: 4,
                ..Header::zeroed()
            };
            let at = block.len();
            block.resize(at + next, 0);
            block[at..at + 68].copy_from_slice(bytemuck::bytes_of(&header));
            block[at + 72 + OFFLOAD_TYPE] = *gso_type;
            block[at + 76..at + 78].copy_from_slice(&gso_size.to_ne_bytes());
            block[at + start..at + start + packet.len()].copy_from_slice(packet);
        }
        block
    }

    fn number(of: usize) -> u32 {
        u32::try_from(of).unwrap()
    }

    fn frames(block: &[u8], has_offload: bool) -> Vec<Result<Frame, Broken>> {
        let mut walk = Walk::of(block);
        std::iter::from_fn(|| walk.next(block, has_offload)).collect()
    }

    #[test]
    fn every_frame_is_found_once() {
        let block = block(&[(b"first", 0, 0), (b"", 0, 9), (b"third, joined", JOINED_DATAGRAMS, 4)]);
        let found: Vec<Frame> = frames(&block, true).into_iter().map(Result::unwrap).collect();
        let packets: Vec<&[u8]> = found.iter().map(|frame| &block[frame.packet.clone()]).collect();
        assert_eq!(packets, [&b"first"[..], b"", b"third, joined"]);
        assert_eq!(found.iter().map(|frame| frame.joined).collect::<Vec<_>>(), [None, None, Some(4)]);
        assert!(
            found.iter().all(|frame| frame.is_checked && frame.interface == 4 && frame.kind == Kind::Here)
        );
        assert_eq!((found[0].length, found[0].time), (5, 7_000_000_009));
        let plain: Vec<Option<u16>> =
            frames(&block, false).into_iter().map(|frame| frame.unwrap().joined).collect();
        assert_eq!(plain, [None; 3], "a ring without offload headers has garbage there");
    }

    #[test]
    fn a_frame_beyond_the_block_ends_the_walk() {
        let block = block(&[(b"first", 0, 0), (b"second", 0, 0)]);
        let cut = &block[..block.len() - 16];
        let found = frames(cut, true);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], Err(Broken(1)));
        assert_eq!(frames(&[], true), []);
    }

    #[test]
    fn a_frame_that_leads_back_to_itself_ends_the_walk() {
        for next in [0, 1, 16, 67] {
            let mut block = block(&[(b"first", 0, 0), (b"second", 0, 0)]);
            block[12..16].copy_from_slice(&u32::MAX.to_ne_bytes());
            block[48..52].copy_from_slice(&u32::to_ne_bytes(next));
            let found = frames(&block, true);
            assert_eq!(found.len(), 2);
            assert_eq!(found[1], Err(Broken(u32::MAX - 1)));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_lead_nowhere_else(bytes in prop::collection::vec(any::<u8>(), 0..400), count in 0u32..9, first in 0u32..400) {
            let mut bytes = bytes;
            if bytes.len() >= 20 {
                bytes[12..16].copy_from_slice(&count.to_ne_bytes());
                bytes[16..20].copy_from_slice(&first.to_ne_bytes());
            }
            let found = frames(&bytes, count % 2 == 0);
            prop_assert!(found.len() <= 9);
            for frame in found.into_iter().flatten() {
                prop_assert!(bytes.get(frame.packet).is_some());
            }
        }
    }
}
