//! Blocks of a packet ring made of any bytes: each frame that is found, read as a packet of either version.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../engine/hosted/src/os/linux/packet_ring/wire/mod.rs"]
#[expect(unused_imports, reason = "the receiver uses more of it")]
mod wire;

use wire::{Datagram, Version, Walk};

fuzz_target!(|bytes: &[u8]| {
    let Some((port, block)) = bytes.split_first_chunk() else { return };
    let port = u16::from_be_bytes(*port);
    for has_offload in [false, true] {
        let mut walk = Walk::of(block);
        while let Some(Ok(frame)) = walk.next(block, has_offload) {
            read(&block[frame.packet], frame.length, port, frame.is_checked);
        }
    }
    read(block, block.len(), port, false);
});

fn read(packet: &[u8], length: usize, port: u16, is_checked: bool) {
    for version in [Version::V4, Version::V6] {
        if let Some(datagram) = Datagram::read(version, packet, length, port)
            && let Ok(payload) = datagram.checked(packet, is_checked)
        {
            assert!(packet.get(payload).is_some(), "a payload outside of its packet");
        }
    }
}
