//! Security descriptors: captured from a client's memory, and taken apart.

// UNSAFETY: descriptors are found by address, and their parts by what they say of themselves.
#![expect(unsafe_code, reason = "descriptors of clients are raw memory without a length")]

use skua_engine::abi::nt::{
    ACCESS_ALLOWED_ACE_TYPE, ACCESS_DENIED_ACE_TYPE, ACE_HEADER, ACL, ACL_REVISION, INHERIT_ONLY_ACE,
    MAX_ACL_REVISION, PSECURITY_DESCRIPTOR, SE_DACL_PRESENT, SE_SACL_PRESENT, SE_SELF_RELATIVE,
    SECURITY_DESCRIPTOR, SECURITY_DESCRIPTOR_RELATIVE, SECURITY_DESCRIPTOR_REVISION,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_SECURITY_DESCR};

use super::Sid;
use super::sid::SID_HEADER;

/// A security descriptor: a copy in self-relative form, and what it says.
///
/// # Invariants
/// `words` are a valid self-relative descriptor and never change; `owner` and `dacl` are what they say.
#[derive(Debug)]
pub(crate) struct Descriptor {
    words: Box<[u64]>,
    owner: Option<Sid>,
    /// `None` for a descriptor without a list, which grants everything.
    dacl: Option<Vec<Entry>>,
}

/// An entry that allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) denies: bool,
    pub(super) mask: u32,
    pub(super) sid: Sid,
}

/// The parts of a descriptor, each a copy; empty for one that is absent.
#[derive(Debug, Default)]
struct Parts {
    control: u16,
    owner: Vec<u8>,
    group: Vec<u8>,
    sacl: Vec<u8>,
    dacl: Vec<u8>,
}

impl Descriptor {
    /// Copies a descriptor in either form. STATUS_INVALID_SECURITY_DESCR for what RtlValidSecurityDescriptor would not take:
    /// another revision, a SID or a list that is not one, parts of a self-relative one in front of its end.
    ///
    /// # Safety
    /// `descriptor` is readable, and so is what it, its SIDs and its lists say that there is.
    pub(crate) unsafe fn capture(descriptor: PSECURITY_DESCRIPTOR) -> Result<Self, NTSTATUS> {
        // SAFETY: the caller's promise.
        let parts = unsafe { Parts::read(descriptor) }.ok_or(STATUS_INVALID_SECURITY_DESCR)?;
        parts.assemble().ok_or(STATUS_INVALID_SECURITY_DESCR)
    }

    /// What the client gets: the copy.
    pub(crate) fn as_ptr(&self) -> PSECURITY_DESCRIPTOR {
        self.words.as_ptr().cast_mut().cast()
    }

    pub(super) fn owner(&self) -> Option<&Sid> {
        self.owner.as_ref()
    }

    /// The entries that count, or `None` where there is no list.
    pub(super) fn dacl(&self) -> Option<&[Entry]> {
        self.dacl.as_deref()
    }

    #[cfg(test)]
    pub(super) fn of_bytes(bytes: &[u8]) -> Result<Self, NTSTATUS> {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        // SAFETY: readable, as far as the tests' descriptors say that they go.
        unsafe { Self::capture(words.as_mut_ptr().cast()) }
    }
}

impl Parts {
    /// # Safety
    /// As for [`Descriptor::capture`].
    unsafe fn read(descriptor: PSECURITY_DESCRIPTOR) -> Option<Self> {
        // SAFETY: the beginning of both forms.
        let relative =
            unsafe { descriptor.cast::<SECURITY_DESCRIPTOR_RELATIVE>().cast_const().read_unaligned() };
        if relative.Revision != SECURITY_DESCRIPTOR_REVISION {
            return None;
        }
        let control = relative.Control;
        let [owner, group, sacl, dacl] = if control & SE_SELF_RELATIVE != 0 {
            let at = |offset: u32| match offset as usize {
                0 => Some(std::ptr::null()),
                offset if offset < size_of::<SECURITY_DESCRIPTOR_RELATIVE>() => None,
                offset => Some(descriptor.cast::<u8>().cast_const().wrapping_add(offset)),
            };
            [at(relative.Owner)?, at(relative.Group)?, at(relative.Sacl)?, at(relative.Dacl)?]
        } else {
            // SAFETY: it says that it is absolute.
            let absolute = unsafe { descriptor.cast::<SECURITY_DESCRIPTOR>().cast_const().read_unaligned() };
            let SECURITY_DESCRIPTOR { Owner, Group, Sacl, Dacl, .. } = absolute;
            [Owner.cast(), Group.cast(), Sacl.cast(), Dacl.cast()].map(<*mut u8>::cast_const)
        };
        let of = |bit, list| if control & bit != 0 { list } else { std::ptr::null() };
        Some(Self {
            control,
            // SAFETY: the caller's promise, of each part.
            owner: unsafe { copy_sid(owner) }?,
            // SAFETY: as above.
            group: unsafe { copy_sid(group) }?,
            // SAFETY: as above.
            sacl: unsafe { copy_list(of(SE_SACL_PRESENT, sacl)) }?,
            // SAFETY: as above.
            dacl: unsafe { copy_list(of(SE_DACL_PRESENT, dacl)) }?,
        })
    }

    fn assemble(&self) -> Option<Descriptor> {
        let owner = if self.owner.is_empty() { None } else { Some(Sid::read(&self.owner)?) };
        if !self.group.is_empty() {
            Sid::read(&self.group)?;
        }
        entries(&self.sacl)?;
        let dacl = entries(&self.dacl)?;
        let mut bytes = vec![0; size_of::<SECURITY_DESCRIPTOR_RELATIVE>()];
        let mut place = |part: &[u8]| {
            if part.is_empty() {
                return Some(0);
            }
            let at = u32::try_from(bytes.len()).ok()?;
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            Some(at)
        };
        let header = SECURITY_DESCRIPTOR_RELATIVE {
            Revision: SECURITY_DESCRIPTOR_REVISION,
            Sbz1: 0,
            Control: self.control | SE_SELF_RELATIVE,
            Owner: place(&self.owner)?,
            Group: place(&self.group)?,
            Sacl: place(&self.sacl)?,
            Dacl: place(&self.dacl)?,
        };
        let mut words = vec![0u64; bytes.len().div_ceil(8)].into_boxed_slice();
        let to: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        to.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        to.get_mut(..size_of_val(&header))?.copy_from_slice(bytemuck::bytes_of(&header));
        let has_list = !self.dacl.is_empty();
        Some(Descriptor { words, owner, dacl: has_list.then_some(dacl) })
    }
}

/// Copies a SID, of which the count of subauthorities is read once. Empty for null; `None` when there are too many.
///
/// # Safety
/// `at` is null, or readable for as long as it says that it is.
unsafe fn copy_sid(at: *const u8) -> Option<Vec<u8>> {
    if at.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the caller's promise.
    let header = unsafe { at.cast::<[u8; SID_HEADER]>().read() };
    let [_, count, ..] = header;
    if count > skua_engine::abi::nt::SID_MAX_SUB_AUTHORITIES {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { copy_behind(at, &header, SID_HEADER + usize::from(count) * 4) })
}

/// Copies a list, of which the size is read once. Empty for null; `None` when it is shorter than its header.
///
/// # Safety
/// As for [`copy_sid`].
unsafe fn copy_list(at: *const u8) -> Option<Vec<u8>> {
    if at.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the caller's promise.
    let header = unsafe { at.cast::<ACL>().read_unaligned() };
    if usize::from(header.AclSize) < size_of::<ACL>() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { copy_behind(at, bytemuck::bytes_of(&header), usize::from(header.AclSize)) })
}

/// `header`, and what lies behind it up to `size`.
///
/// # Safety
/// `at` is readable for `size`, which is not less than the header's.
unsafe fn copy_behind(at: *const u8, header: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    let (front, back) = bytes.split_at_mut(header.len());
    front.copy_from_slice(header);
    // SAFETY: the caller's promise; the destination is of this function.
    unsafe { std::ptr::copy_nonoverlapping(at.wrapping_add(header.len()), back.as_mut_ptr(), back.len()) };
    bytes
}

/// The entries of a list that allow or deny; others, whose conditions cannot be judged here, grant nothing. `None` for
/// what is no list; nothing is an empty one.
fn entries(list: &[u8]) -> Option<Vec<Entry>> {
    let Some((header, mut rest)) = list.split_at_checked(size_of::<ACL>()) else { return Some(Vec::new()) };
    let header: ACL = bytemuck::pod_read_unaligned(header);
    if !(ACL_REVISION..=MAX_ACL_REVISION).contains(&header.AclRevision) {
        return None;
    }
    let mut found = Vec::new();
    for _ in 0..header.AceCount {
        let head: ACE_HEADER = bytemuck::pod_read_unaligned(rest.get(..size_of::<ACE_HEADER>())?);
        let size = usize::from(head.AceSize);
        if size < size_of::<ACE_HEADER>() || size % 4 != 0 {
            return None;
        }
        let (entry, behind) = rest.split_at_checked(size)?;
        rest = behind;
        if !matches!(head.AceType, ACCESS_ALLOWED_ACE_TYPE | ACCESS_DENIED_ACE_TYPE) {
            continue;
        }
        let mask = u32::from_le_bytes(entry.get(4..8)?.try_into().ok()?);
        let sid = Sid::read(entry.get(8..)?)?;
        if head.AceFlags & INHERIT_ONLY_ACE == 0 {
            found.push(Entry { denies: head.AceType == ACCESS_DENIED_ACE_TYPE, mask, sid });
        }
    }
    Some(found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An entry as a test writes it.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Entry {
        pub(in super::super) kind: u8,
        pub(in super::super) flags: u8,
        pub(in super::super) mask: u32,
        pub(in super::super) sid: Sid,
    }

    fn list(entries: &[Entry]) -> Vec<u8> {
        let mut body = Vec::new();
        for entry in entries {
            let sid = entry.sid.to_bytes();
            let size = u16::try_from(8 + sid.len()).unwrap();
            body.extend([entry.kind, entry.flags]);
            body.extend(size.to_le_bytes());
            body.extend(entry.mask.to_le_bytes());
            body.extend(sid);
        }
        let header = ACL {
            AclRevision: ACL_REVISION,
            Sbz1: 0,
            AclSize: u16::try_from(8 + body.len()).unwrap(),
            AceCount: u16::try_from(entries.len()).unwrap(),
            Sbz2: 0,
        };
        [bytemuck::bytes_of(&header), &body].concat()
    }

    /// A self-relative descriptor.
    pub(in super::super) fn relative(owner: Option<Sid>, entries: Option<&[Entry]>) -> Vec<u8> {
        let owner = owner.map(|owner| owner.to_bytes()).unwrap_or_default();
        let dacl = entries.map(list).unwrap_or_default();
        let begin = size_of::<SECURITY_DESCRIPTOR_RELATIVE>();
        let header = SECURITY_DESCRIPTOR_RELATIVE {
            Revision: 1,
            Control: SE_SELF_RELATIVE | if entries.is_some() { SE_DACL_PRESENT } else { 0 },
            Owner: if owner.is_empty() { 0 } else { u32::try_from(begin).unwrap() },
            Dacl: if dacl.is_empty() { 0 } else { u32::try_from(begin + owner.len()).unwrap() },
            ..SECURITY_DESCRIPTOR_RELATIVE::default()
        };
        [bytemuck::bytes_of(&header), &owner, &dacl].concat()
    }

    const ENTRY: Entry = Entry { kind: 0, flags: 0, mask: 7, sid: Sid::EVERYONE };

    #[test]
    fn both_forms_say_the_same_and_are_copied_as_the_self_relative_one() {
        let bytes = relative(Some(Sid::LOCAL_SYSTEM), Some(&[ENTRY]));
        let captured = Descriptor::of_bytes(&bytes).unwrap();
        let mut owner = Sid::LOCAL_SYSTEM.to_bytes();
        let mut dacl = list(&[ENTRY]);
        let mut absolute = SECURITY_DESCRIPTOR {
            Revision: 1,
            Sbz1: 0,
            Control: SE_DACL_PRESENT,
            Owner: owner.as_mut_ptr().cast(),
            Group: std::ptr::null_mut(),
            Sacl: std::ptr::null_mut(),
            Dacl: dacl.as_mut_ptr().cast(),
        };
        // SAFETY: its parts are in place.
        let from_absolute = unsafe { Descriptor::capture(&raw mut absolute) }.unwrap();
        for descriptor in [captured, from_absolute] {
            assert_eq!(descriptor.owner(), Some(&Sid::LOCAL_SYSTEM));
            let expected = super::Entry { denies: false, mask: 7, sid: Sid::EVERYONE };
            assert_eq!(descriptor.dacl(), Some(&[expected][..]));
            assert_eq!(bytemuck::cast_slice::<u64, u8>(&descriptor.words)[..bytes.len()], bytes);
            // The copy can be captured again: it is what it says.
            // SAFETY: a whole descriptor.
            assert!(unsafe { Descriptor::capture(descriptor.as_ptr()) }.is_ok());
        }
    }

    #[test]
    fn what_is_no_descriptor_is_refused() {
        let good = relative(Some(Sid::LOCAL_SYSTEM), Some(&[ENTRY]));
        // Revision; an offset inside the header; the owner's revision and count; the list's revision, its size, its count;
        // the entry's size; the entry's SID.
        for (at, byte) in [(0, 2), (4, 4), (20, 0), (21, 16), (32, 1), (34, 7), (36, 2), (42, 3), (49, 9)] {
            let mut bytes = good.clone();
            bytes.resize(bytes.len() + 128, 0);
            bytes[at] = byte;
            let captured = Descriptor::of_bytes(&bytes);
            assert_eq!(captured.err(), Some(STATUS_INVALID_SECURITY_DESCR), "byte {at} = {byte}");
        }
        // A list that is there and null grants everything, which differs from an empty one.
        let mut null = relative(None, None);
        null[2] |= 4;
        assert_eq!(Descriptor::of_bytes(&null).unwrap().dacl(), None);
        assert_eq!(Descriptor::of_bytes(&relative(None, Some(&[]))).unwrap().dacl(), Some(&[][..]));
    }
}
