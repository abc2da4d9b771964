//! Security descriptors and what they are made of.

// UNSAFETY: exports under NT's names; descriptors are reached by address.
#![expect(unsafe_code, reason = "descriptors live in the driver's memory")]

use std::ptr;

use skua_engine::abi::nt::BOOLEAN;
use skua_engine::abi::status::{NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::number::boolean;

/// SID: the fixed part; the subauthorities follow.
#[repr(C)]
pub(crate) struct SidHeader {
    revision: u8,
    count: u8,
    authority: [u8; 6],
}

/// ACL: the fixed part; the entries follow.
#[repr(C)]
pub(crate) struct AclHeader {
    revision: u8,
    zero: u8,
    size: u16,
    count: u16,
    zero2: u16,
}

/// ACCESS_ALLOWED_ACE and its like, without the SID.
#[repr(C)]
struct Ace {
    kind: u8,
    flags: u8,
    size: u16,
    mask: u32,
}

/// SECURITY_DESCRIPTOR in absolute form.
#[repr(C)]
pub(crate) struct Descriptor {
    revision: u8,
    zero: u8,
    control: u16,
    owner: *mut SidHeader,
    group: *mut SidHeader,
    sacl: *mut AclHeader,
    dacl: *mut AclHeader,
}

/// SECURITY_DESCRIPTOR_RELATIVE: the parts follow, by their distance.
#[repr(C)]
struct Relative {
    revision: u8,
    zero: u8,
    control: u16,
    owner: u32,
    group: u32,
    sacl: u32,
    dacl: u32,
}

const REVISION: u8 = 1;
const MOST_SUBAUTHORITIES: u8 = 15;
const ALLOWED: u8 = 0;
const DENIED: u8 = 1;
const OWNER_DEFAULTED: u16 = 0x0001;
const GROUP_DEFAULTED: u16 = 0x0002;
const DACL_PRESENT: u16 = 0x0004;
const DACL_DEFAULTED: u16 = 0x0008;
const SELF_RELATIVE: u16 = 0x8000;
/// STATUS_UNKNOWN_REVISION.
const UNKNOWN_REVISION: NTSTATUS = NTSTATUS::from_bits(0xC000_0058);
/// STATUS_INVALID_SID.
const INVALID_SID: NTSTATUS = NTSTATUS::from_bits(0xC000_0078);
/// STATUS_ALLOTTED_SPACE_EXCEEDED.
const ALLOTTED_SPACE_EXCEEDED: NTSTATUS = NTSTATUS::from_bits(0xC000_0099);
/// STATUS_BAD_DESCRIPTOR_FORMAT.
const BAD_DESCRIPTOR_FORMAT: NTSTATUS = NTSTATUS::from_bits(0xC000_00E7);

routines! {
    /// RtlCreateSecurityDescriptor.
    contract fn RtlCreateSecurityDescriptor(descriptor: *mut Descriptor, revision: u32) -> NTSTATUS {
        if revision != u32::from(REVISION) {
            return UNKNOWN_REVISION;
        }
        descriptor.write(Descriptor {
            revision: REVISION,
            zero: 0,
            control: 0,
            owner: ptr::null_mut(),
            group: ptr::null_mut(),
            sacl: ptr::null_mut(),
            dacl: ptr::null_mut(),
        });
        STATUS_SUCCESS
    }

    /// RtlSetDaclSecurityDescriptor.
    contract fn RtlSetDaclSecurityDescriptor(
        descriptor: *mut Descriptor,
        present: BOOLEAN,
        dacl: *mut AclHeader,
        defaulted: BOOLEAN,
    ) -> NTSTATUS {
        set(descriptor, |descriptor| {
            descriptor.control &= !(DACL_PRESENT | DACL_DEFAULTED);
            descriptor.dacl = ptr::null_mut();
            if present != 0 {
                descriptor.control |= DACL_PRESENT | if defaulted != 0 { DACL_DEFAULTED } else { 0 };
                descriptor.dacl = dacl;
            }
        })
    }

    /// RtlGetDaclSecurityDescriptor, of either form.
    contract fn RtlGetDaclSecurityDescriptor(
        descriptor: *mut Descriptor,
        present: *mut BOOLEAN,
        dacl: *mut *mut AclHeader,
        defaulted: *mut BOOLEAN,
    ) -> NTSTATUS {
        let control = (*descriptor).control;
        present.write(boolean(control & DACL_PRESENT != 0));
        if control & DACL_PRESENT != 0 {
            dacl.write(parts(descriptor).3);
            defaulted.write(boolean(control & DACL_DEFAULTED != 0));
        }
        STATUS_SUCCESS
    }

    /// RtlSetOwnerSecurityDescriptor.
    contract fn RtlSetOwnerSecurityDescriptor(
        descriptor: *mut Descriptor,
        owner: *mut SidHeader,
        defaulted: BOOLEAN,
    ) -> NTSTATUS {
        set(descriptor, |descriptor| {
            descriptor.owner = owner;
            descriptor.control &= !OWNER_DEFAULTED;
            descriptor.control |= if defaulted != 0 { OWNER_DEFAULTED } else { 0 };
        })
    }

    /// RtlSetGroupSecurityDescriptor.
    contract fn RtlSetGroupSecurityDescriptor(
        descriptor: *mut Descriptor,
        group: *mut SidHeader,
        defaulted: BOOLEAN,
    ) -> NTSTATUS {
        set(descriptor, |descriptor| {
            descriptor.group = group;
            descriptor.control &= !GROUP_DEFAULTED;
            descriptor.control |= if defaulted != 0 { GROUP_DEFAULTED } else { 0 };
        })
    }

    /// RtlValidSecurityDescriptor.
    contract fn RtlValidSecurityDescriptor(descriptor: *mut Descriptor) -> BOOLEAN {
        boolean(!descriptor.is_null() && (*descriptor).revision == REVISION)
    }

    /// RtlLengthSecurityDescriptor.
    contract fn RtlLengthSecurityDescriptor(descriptor: *mut Descriptor) -> u32 {
        length(descriptor)
    }

    /// RtlAbsoluteToSelfRelativeSD.
    contract fn RtlAbsoluteToSelfRelativeSD(
        absolute: *mut Descriptor,
        relative: *mut u8,
        bytes: *mut u32,
    ) -> NTSTATUS {
        to_self_relative(absolute, relative, bytes)
    }

    /// RtlCreateAcl.
    contract fn RtlCreateAcl(acl: *mut AclHeader, bytes: u32, revision: u32) -> NTSTATUS {
        let (Ok(size), Ok(revision @ 2..=4)) = (u16::try_from(bytes), u8::try_from(revision)) else {
            return STATUS_INVALID_PARAMETER;
        };
        if usize::from(size) < size_of::<AclHeader>() {
            return STATUS_BUFFER_TOO_SMALL;
        }
        acl.write(AclHeader { revision, zero: 0, size: size & !3, count: 0, zero2: 0 });
        STATUS_SUCCESS
    }

    /// RtlAddAccessAllowedAce.
    contract fn RtlAddAccessAllowedAce(
        acl: *mut AclHeader,
        _revision: u32,
        mask: u32,
        sid: *mut SidHeader,
    ) -> NTSTATUS {
        add(acl, ALLOWED, mask, sid)
    }

    /// RtlAddAccessDeniedAce.
    contract fn RtlAddAccessDeniedAce(
        acl: *mut AclHeader,
        _revision: u32,
        mask: u32,
        sid: *mut SidHeader,
    ) -> NTSTATUS {
        add(acl, DENIED, mask, sid)
    }

    /// RtlInitializeSid: the subauthorities are still to be written.
    contract fn RtlInitializeSid(sid: *mut SidHeader, authority: *const [u8; 6], count: u8) -> NTSTATUS {
        if count > MOST_SUBAUTHORITIES {
            return STATUS_INVALID_PARAMETER;
        }
        sid.write(SidHeader { revision: REVISION, count, authority: authority.read() });
        STATUS_SUCCESS
    }

    /// RtlSubAuthoritySid.
    fn RtlSubAuthoritySid(sid: *mut SidHeader, index: u32) -> *mut u32 {
        sid.wrapping_add(1).cast::<u32>().wrapping_add(index as usize)
    }

    /// RtlSubAuthorityCountSid.
    fn RtlSubAuthorityCountSid(sid: *mut SidHeader) -> *mut u8 {
        sid.wrapping_byte_add(std::mem::offset_of!(SidHeader, count)).cast()
    }

    /// RtlLengthRequiredSid.
    fn RtlLengthRequiredSid(count: u32) -> u32 {
        8 + 4 * count
    }

    /// RtlLengthSid.
    contract fn RtlLengthSid(sid: *mut SidHeader) -> u32 {
        RtlLengthRequiredSid(u32::from((*sid).count))
    }

    /// RtlValidSid.
    contract fn RtlValidSid(sid: *mut SidHeader) -> BOOLEAN {
        boolean(is_valid(sid))
    }

    /// RtlEqualSid.
    contract fn RtlEqualSid(one: *mut SidHeader, other: *mut SidHeader) -> BOOLEAN {
        boolean(bytes_of(one) == bytes_of(other))
    }

    /// RtlCopySid.
    contract fn RtlCopySid(room: u32, to: *mut u8, from: *mut SidHeader) -> NTSTATUS {
        let bytes = bytes_of(from);
        if bytes.len() > room as usize {
            return STATUS_BUFFER_TOO_SMALL;
        }
        ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        STATUS_SUCCESS
    }
}

/// # Safety
/// `sid` is null or readable for its fixed part.
unsafe fn is_valid(sid: *const SidHeader) -> bool {
    if sid.is_null() {
        return false;
    }
    // SAFETY: the caller's promise.
    let header = unsafe { sid.read() };
    header.revision == REVISION && header.count <= MOST_SUBAUTHORITIES
}

/// # Safety
/// `sid` is readable, with its subauthorities.
unsafe fn bytes_of<'a>(sid: *const SidHeader) -> &'a [u8] {
    // SAFETY: the caller's promise.
    let count = usize::from(unsafe { (*sid).count });
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(sid.cast(), size_of::<SidHeader>() + 4 * count) }
}

/// Changes a descriptor in absolute form.
///
/// # Safety
/// `descriptor` is one, and writable.
unsafe fn set(descriptor: *mut Descriptor, change: impl FnOnce(&mut Descriptor)) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let control = unsafe { (*descriptor).control };
    if control & SELF_RELATIVE != 0 {
        return BAD_DESCRIPTOR_FORMAT;
    }
    // SAFETY: the caller's promise; it is in absolute form.
    change(unsafe { &mut *descriptor });
    STATUS_SUCCESS
}

/// Owner, group, system and discretionary list of a descriptor in either form; null for none.
///
/// # Safety
/// `descriptor` is one.
unsafe fn parts(
    descriptor: *mut Descriptor,
) -> (*mut SidHeader, *mut SidHeader, *mut AclHeader, *mut AclHeader) {
    // SAFETY: the caller's promise; both forms begin alike.
    let control = unsafe { (*descriptor).control };
    if control & SELF_RELATIVE == 0 {
        // SAFETY: the caller's promise.
        let absolute = unsafe { descriptor.read() };
        return (absolute.owner, absolute.group, absolute.sacl, absolute.dacl);
    }
    // SAFETY: the caller's promise.
    let relative = unsafe { descriptor.cast::<Relative>().read_unaligned() };
    let at = |offset: u32| {
        if offset == 0 { ptr::null_mut() } else { descriptor.wrapping_byte_add(offset as usize) }
    };
    (at(relative.owner).cast(), at(relative.group).cast(), at(relative.sacl).cast(), at(relative.dacl).cast())
}

/// The bytes of each part, in the order in which they follow a self-relative descriptor.
///
/// # Safety
/// `descriptor` is one, with its parts.
unsafe fn part_bytes<'a>(descriptor: *mut Descriptor) -> [&'a [u8]; 4] {
    // SAFETY: the caller's promise.
    let (owner, group, sacl, dacl) = unsafe { parts(descriptor) };
    let acl = |acl: *mut AclHeader| -> &'a [u8] {
        if acl.is_null() {
            return &[];
        }
        // SAFETY: a list that is there.
        let size = usize::from(unsafe { (*acl).size });
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(acl.cast(), size) }
    };
    let sid = |sid: *mut SidHeader| -> &'a [u8] {
        // SAFETY: a SID that is there.
        if sid.is_null() { &[] } else { unsafe { bytes_of(sid) } }
    };
    [sid(owner), sid(group), acl(sacl), acl(dacl)]
}

/// # Safety
/// `descriptor` is one, with its parts.
unsafe fn length(descriptor: *mut Descriptor) -> u32 {
    // SAFETY: the caller's promise.
    let parts = unsafe { part_bytes(descriptor) };
    // SAFETY: the caller's promise.
    let is_relative = unsafe { (*descriptor).control } & SELF_RELATIVE != 0;
    let fixed = if is_relative { size_of::<Relative>() } else { size_of::<Descriptor>() };
    let total = fixed + parts.iter().map(|part| part.len().next_multiple_of(4)).sum::<usize>();
    u32::try_from(total).unwrap_or(u32::MAX)
}

/// # Safety
/// `absolute` is a descriptor with its parts; `relative` is null or writable for `bytes`, which is readable and writable.
unsafe fn to_self_relative(absolute: *mut Descriptor, relative: *mut u8, bytes: *mut u32) -> NTSTATUS {
    // SAFETY: the caller's promise.
    let control = unsafe { (*absolute).control };
    if control & SELF_RELATIVE != 0 {
        return BAD_DESCRIPTOR_FORMAT;
    }
    // SAFETY: the caller's promise.
    let parts = unsafe { part_bytes(absolute) };
    let mut body = Vec::new();
    let offsets = parts.map(|part| {
        let at = u32::try_from(size_of::<Relative>() + body.len()).unwrap_or_default();
        body.extend_from_slice(part);
        body.resize(body.len().next_multiple_of(4), 0);
        if part.is_empty() { 0 } else { at }
    });
    let needed = u32::try_from(size_of::<Relative>() + body.len()).unwrap_or(u32::MAX);
    // SAFETY: the caller's promise.
    let room = unsafe { bytes.replace(needed) };
    if relative.is_null() || room < needed {
        return STATUS_BUFFER_TOO_SMALL;
    }
    let [owner, group, sacl, dacl] = offsets;
    let fixed =
        Relative { revision: REVISION, zero: 0, control: control | SELF_RELATIVE, owner, group, sacl, dacl };
    // SAFETY: room for it.
    unsafe { relative.cast::<Relative>().write_unaligned(fixed) };
    // SAFETY: room for it, behind the fixed part.
    unsafe { relative.wrapping_add(size_of::<Relative>()).copy_from(body.as_ptr(), body.len()) };
    STATUS_SUCCESS
}

/// Adds an entry behind those of a list.
///
/// # Safety
/// `acl` is a list, writable for its size; `sid` is readable.
unsafe fn add(acl: *mut AclHeader, kind: u8, mask: u32, sid: *const SidHeader) -> NTSTATUS {
    // SAFETY: the caller's promise.
    if !unsafe { is_valid(sid) } {
        return INVALID_SID;
    }
    // SAFETY: valid.
    let sid = unsafe { bytes_of(sid) };
    // SAFETY: the caller's promise.
    let header = unsafe { acl.read() };
    let mut end = size_of::<AclHeader>();
    for _ in 0..header.count {
        // SAFETY: an entry of the list.
        let ace = unsafe { acl.wrapping_byte_add(end).cast::<Ace>().read_unaligned() };
        end += usize::from(ace.size);
    }
    let bytes = size_of::<Ace>() + sid.len();
    let size = u16::try_from(bytes).ok().filter(|_| end + bytes <= usize::from(header.size));
    let Some(size) = size else { return ALLOTTED_SPACE_EXCEEDED };
    let at = acl.wrapping_byte_add(end).cast::<Ace>();
    // SAFETY: room for it.
    unsafe { at.write_unaligned(Ace { kind, flags: 0, size, mask }) };
    // SAFETY: room for it, behind the fixed part.
    unsafe { at.wrapping_add(1).cast::<u8>().copy_from(sid.as_ptr(), sid.len()) };
    // SAFETY: the caller's promise.
    unsafe { (*acl).count += 1 };
    STATUS_SUCCESS
}
