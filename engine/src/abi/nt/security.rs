//! Security descriptors: who an object belongs to, and what whom is allowed.

use bytemuck::{Pod, Zeroable};

/// A security descriptor, by address; its control bits say in which of the two forms.
pub type PSECURITY_DESCRIPTOR = *mut SECURITY_DESCRIPTOR;

/// A security descriptor in absolute form: its parts are found by address. In self-relative form, which
/// [`SE_SELF_RELATIVE`] tells, it is a [`SECURITY_DESCRIPTOR_RELATIVE`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct SECURITY_DESCRIPTOR {
    /// [`SECURITY_DESCRIPTOR_REVISION`].
    pub Revision: u8,
    /// Zero.
    pub Sbz1: u8,
    /// `SE_` bits.
    pub Control: u16,
    /// The owner, or null.
    pub Owner: *mut SID,
    /// The owner's primary group, or null.
    pub Group: *mut SID,
    /// What is audited, if [`SE_SACL_PRESENT`].
    pub Sacl: *mut ACL,
    /// Who may do what, if [`SE_DACL_PRESENT`]. Null lets everybody do everything.
    pub Dacl: *mut ACL,
}
layout!(SECURITY_DESCRIPTOR {
    size: 40,
    align: 8,
    Revision: 0,
    Sbz1: 1,
    Control: 2,
    Owner: 8,
    Group: 16,
    Sacl: 24,
    Dacl: 32,
});

/// A security descriptor whose parts follow it and are found by their distance from its beginning; 0 is none.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct SECURITY_DESCRIPTOR_RELATIVE {
    /// [`SECURITY_DESCRIPTOR_REVISION`].
    pub Revision: u8,
    /// Zero.
    pub Sbz1: u8,
    /// `SE_` bits, among them [`SE_SELF_RELATIVE`].
    pub Control: u16,
    /// Where the owner is.
    pub Owner: u32,
    /// Where the owner's primary group is.
    pub Group: u32,
    /// Where the list of what is audited is.
    pub Sacl: u32,
    /// Where the list of who may do what is.
    pub Dacl: u32,
}
layout!(SECURITY_DESCRIPTOR_RELATIVE {
    size: 20,
    align: 4,
    Revision: 0,
    Sbz1: 1,
    Control: 2,
    Owner: 4,
    Group: 8,
    Sacl: 12,
    Dacl: 16,
});

/// An account or a group: the fixed part, and the first of its subauthorities; the others follow.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct SID {
    /// [`SID_REVISION`].
    pub Revision: u8,
    /// How many subauthorities there are, [`SID_MAX_SUB_AUTHORITIES`] at most.
    pub SubAuthorityCount: u8,
    /// A number of 48 bits, big-endian.
    pub IdentifierAuthority: [u8; 6],
    /// The subauthorities.
    pub SubAuthority: [u32; 1],
}
layout!(SID {
    size: 12,
    align: 4,
    Revision: 0,
    SubAuthorityCount: 1,
    IdentifierAuthority: 2,
    SubAuthority: 8
});

/// The header of an access control list; its entries follow.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct ACL {
    /// [`ACL_REVISION`] to [`MAX_ACL_REVISION`].
    pub AclRevision: u8,
    /// Zero.
    pub Sbz1: u8,
    /// Bytes of header, entries and unused room.
    pub AclSize: u16,
    /// How many entries there are.
    pub AceCount: u16,
    /// Zero.
    pub Sbz2: u16,
}
layout!(ACL { size: 8, align: 2, AclRevision: 0, Sbz1: 1, AclSize: 2, AceCount: 4, Sbz2: 6 });

/// The header of an entry.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct ACE_HEADER {
    /// What kind of entry it is.
    pub AceType: u8,
    /// How it is inherited.
    pub AceFlags: u8,
    /// Bytes of the entry, a multiple of 4.
    pub AceSize: u16,
}
layout!(ACE_HEADER { size: 4, align: 2, AceType: 0, AceFlags: 1, AceSize: 2 });

/// An entry of [`ACCESS_ALLOWED_ACE_TYPE`] or [`ACCESS_DENIED_ACE_TYPE`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct ACCESS_ALLOWED_ACE {
    /// The header.
    pub Header: ACE_HEADER,
    /// What is allowed or denied.
    pub Mask: u32,
    /// The first four bytes of the SID that this is about.
    pub SidStart: u32,
}
layout!(ACCESS_ALLOWED_ACE { size: 12, align: 4, Header: 0, Mask: 4, SidStart: 8 });

/// [`SECURITY_DESCRIPTOR::Revision`].
pub const SECURITY_DESCRIPTOR_REVISION: u8 = 1;
/// [`SECURITY_DESCRIPTOR::Control`]: `Dacl` counts.
pub const SE_DACL_PRESENT: u16 = 0x0004;
/// [`SECURITY_DESCRIPTOR::Control`]: `Sacl` counts.
pub const SE_SACL_PRESENT: u16 = 0x0010;
/// [`SECURITY_DESCRIPTOR::Control`]: it is a [`SECURITY_DESCRIPTOR_RELATIVE`].
pub const SE_SELF_RELATIVE: u16 = 0x8000;
/// [`SID::Revision`].
pub const SID_REVISION: u8 = 1;
/// [`SID::SubAuthorityCount`]: the most.
pub const SID_MAX_SUB_AUTHORITIES: u8 = 15;
/// [`ACL::AclRevision`]: of lists without entries for parts of an object.
pub const ACL_REVISION: u8 = 2;
/// [`ACL::AclRevision`]: the highest.
pub const MAX_ACL_REVISION: u8 = 4;
/// [`ACE_HEADER::AceType`]: allows.
pub const ACCESS_ALLOWED_ACE_TYPE: u8 = 0;
/// [`ACE_HEADER::AceType`]: denies.
pub const ACCESS_DENIED_ACE_TYPE: u8 = 1;
/// [`ACE_HEADER::AceFlags`]: concerns what inherits it only.
pub const INHERIT_ONLY_ACE: u8 = 0x08;
/// Access: whatever all access to the object is.
pub const GENERIC_ALL: u32 = 0x1000_0000;
/// Access: whatever running the object is.
pub const GENERIC_EXECUTE: u32 = 0x2000_0000;
/// Access: whatever writing to the object is.
pub const GENERIC_WRITE: u32 = 0x4000_0000;
/// Access: whatever reading the object is.
pub const GENERIC_READ: u32 = 0x8000_0000;
/// Access to a file: what [`GENERIC_READ`] is.
pub const FILE_GENERIC_READ: u32 = 0x0012_0089;
/// Access to a file: what [`GENERIC_WRITE`] is.
pub const FILE_GENERIC_WRITE: u32 = 0x0012_0116;
/// Access to a file: what [`GENERIC_EXECUTE`] is.
pub const FILE_GENERIC_EXECUTE: u32 = 0x0012_00A0;
/// Access to a file: what [`GENERIC_ALL`] is.
pub const FILE_ALL_ACCESS: u32 = 0x001F_01FF;
/// Access: to read the descriptor. An owner has it.
pub const READ_CONTROL: u32 = 0x0002_0000;
/// Access: to change `Dacl`. An owner has it.
pub const WRITE_DAC: u32 = 0x0004_0000;
