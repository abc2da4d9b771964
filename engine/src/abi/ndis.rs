//! The part of NDIS that is needed to walk packets: lists of buffers, buffers, their reserved bytes.
//!
//! Source: Microsoft's driver documentation, NET_BUFFER_LIST and NET_BUFFER (ndis.h and nbl.h), for 64-bit Windows.

use core::ffi::c_void;

use bytemuck::Zeroable;

use crate::abi::nt::MDL;

/// One packet of an NDIS driver, or one datagram: a range of an MDL chain.
///
/// The used data begins `CurrentMdlOffset` bytes into what `CurrentMdl` describes and has `DataLength` bytes. `CurrentMdl` is an
/// MDL of the chain that begins with `MdlChain`; what is before it is unused data, into which headers grow.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct NET_BUFFER {
    /// The next one of the same list, or null.
    pub Next: *mut NET_BUFFER,
    /// The MDL in which the used data begins.
    pub CurrentMdl: *mut MDL,
    /// Where in it.
    pub CurrentMdlOffset: u32,
    _padding: u32,
    /// Bytes of used data, as a SIZE_T (`stDataLength`); NDIS fills the low half (`DataLength`) and the rest is zero.
    pub DataLength: usize,
    /// The first MDL of the whole chain.
    pub MdlChain: *mut MDL,
    /// Where in the chain the used data begins.
    pub DataOffset: u32,
    _padding_2: u32,
    /// NDIS's.
    pub ChecksumBias: u16,
    /// NDIS's.
    pub Reserved: u16,
    _padding_3: u32,
    /// NDIS's.
    pub NdisPoolHandle: *mut c_void,
    /// NDIS's.
    pub NdisReserved: [*mut c_void; 2],
    /// Of the protocol driver that made the buffer, and on the way up of the one that has it.
    pub ProtocolReserved: [*mut c_void; 6],
    /// Of the miniport driver while it has the buffer.
    pub MiniportReserved: [*mut c_void; 4],
    /// NDIS's.
    pub DataPhysicalAddress: i64,
    /// NDIS's.
    pub SharedMemoryInfo: *mut c_void,
}
layout!(NET_BUFFER {
    size: 176,
    align: 16,
    Next: 0,
    CurrentMdl: 8,
    CurrentMdlOffset: 16,
    DataLength: 24,
    MdlChain: 32,
    DataOffset: 40,
    ChecksumBias: 48,
    Reserved: 50,
    NdisPoolHandle: 56,
    NdisReserved: 64,
    ProtocolReserved: 80,
    MiniportReserved: 128,
    DataPhysicalAddress: 160,
    SharedMemoryInfo: 168,
});

/// Packets that belong together, up to the table of what else is known of them.
///
/// The table, `NetBufferListInfo`, is as long as the version of NDIS makes it, so a value of this type is never made for
/// NDIS's use: lists are met by address.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct NET_BUFFER_LIST {
    /// The next list, or null.
    pub Next: *mut NET_BUFFER_LIST,
    /// Its packets.
    pub FirstNetBuffer: *mut NET_BUFFER,
    /// What drivers attached.
    pub Context: *mut c_void,
    /// The list that this one was made of, or null.
    pub ParentNetBufferList: *mut NET_BUFFER_LIST,
    /// NDIS's.
    pub NdisPoolHandle: *mut c_void,
    _padding: *mut c_void,
    /// NDIS's.
    pub NdisReserved: [*mut c_void; 2],
    /// Of the protocol driver that made the list.
    pub ProtocolReserved: [*mut c_void; 4],
    /// Of the miniport driver while it has the list.
    pub MiniportReserved: [*mut c_void; 2],
    /// Of whoever has the list.
    pub Scratch: *mut c_void,
    /// Who made the list.
    pub SourceHandle: *mut c_void,
    /// NDIS's.
    pub NblFlags: u32,
    /// Lists made of this one and not yet returned.
    pub ChildRefCount: i32,
    /// NDIS's.
    pub Flags: u32,
    /// What became of it.
    pub Status: i32,
    /// The first entry of the table.
    pub NetBufferListInfo: [*mut c_void; 1],
    _padding_2: *mut c_void,
}
layout!(NET_BUFFER_LIST {
    size: 160,
    align: 16,
    Next: 0,
    FirstNetBuffer: 8,
    Context: 16,
    ParentNetBufferList: 24,
    NdisPoolHandle: 32,
    NdisReserved: 48,
    ProtocolReserved: 64,
    MiniportReserved: 96,
    Scratch: 112,
    SourceHandle: 120,
    NblFlags: 128,
    ChildRefCount: 132,
    Flags: 136,
    Status: 140,
    NetBufferListInfo: 144,
});
