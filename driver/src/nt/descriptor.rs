//! Security descriptors: who may open what the driver creates.
//!
//! Built as bytes, in the self-relative form that NT takes (MS-DTYP 2.4.6), because the routines that build one want memory
//! and can fail. All of them say the same of two groups and nothing of anybody else: the system and the Administrators, that
//! is elevated ones, may do what the mask says.

use skua_engine::abi::nt::PSECURITY_DESCRIPTOR;

use crate::executive::SectionAccess;

/// Every right to a device (FILE_ALL_ACCESS, wdm.h).
const FILE_ALL_ACCESS: u32 = 0x001F_01FF;
/// Asking for a section's size (winnt.h).
const SECTION_QUERY: u32 = 0x0001;
/// Mapping a section for writing.
const SECTION_MAP_WRITE: u32 = 0x0002;
/// Mapping a section for reading.
const SECTION_MAP_READ: u32 = 0x0004;

/// S-1-5-18, the system's own account.
const LOCAL_SYSTEM: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
/// S-1-5-32-544, the group BUILTIN\Administrators.
const ADMINISTRATORS: [u8; 16] = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];

/// SE_DACL_PRESENT, SE_DACL_PROTECTED (nothing is inherited into it), SE_SELF_RELATIVE.
const CONTROL: u16 = 0x0004 | 0x1000 | 0x8000;
const ACE_HEADER: usize = 8;
const SYSTEM_ACE: usize = ACE_HEADER + LOCAL_SYSTEM.len();
const ADMINISTRATORS_ACE: usize = ACE_HEADER + ADMINISTRATORS.len();
const DESCRIPTOR_HEADER: usize = 20;
const ACL_HEADER: usize = 8;
const ACL: usize = ACL_HEADER + SYSTEM_ACE + ADMINISTRATORS_ACE;
const BYTES: usize = DESCRIPTOR_HEADER + ACL;

/// A self-relative descriptor with an access list of two entries, without owner, group or audit list.
#[repr(C, align(8))]
pub(super) struct Descriptor {
    bytes: [u8; BYTES],
}

impl Descriptor {
    /// For the device: everything.
    pub(super) const fn device() -> Self {
        Self::granting(FILE_ALL_ACCESS)
    }

    /// For a section: mapping as `access` says, and asking for its size.
    pub(super) const fn section(access: SectionAccess) -> Self {
        Self::granting(match access {
            SectionAccess::MapRead => SECTION_QUERY | SECTION_MAP_READ,
            SectionAccess::MapWrite => SECTION_QUERY | SECTION_MAP_READ | SECTION_MAP_WRITE,
        })
    }

    /// The address for NT, which reads it only.
    pub(super) const fn as_ptr(&self) -> PSECURITY_DESCRIPTOR {
        (&raw const self.bytes).cast_mut().cast()
    }

    const fn granting(mask: u32) -> Self {
        let mut bytes = [0; BYTES];
        // Revision, and the place of the access list; the other places are 0 for none.
        bytes[0] = 1;
        put(&mut bytes, 2, &CONTROL.to_le_bytes());
        put(&mut bytes, 16, &short(DESCRIPTOR_HEADER));
        // ACL_REVISION, size, count.
        bytes[DESCRIPTOR_HEADER] = 2;
        put(&mut bytes, DESCRIPTOR_HEADER + 2, &short(ACL));
        put(&mut bytes, DESCRIPTOR_HEADER + 4, &2u16.to_le_bytes());
        let first = DESCRIPTOR_HEADER + ACL_HEADER;
        allow(&mut bytes, first, mask, &LOCAL_SYSTEM);
        allow(&mut bytes, first + SYSTEM_ACE, mask, &ADMINISTRATORS);
        Self { bytes }
    }
}

/// Writes an ACCESS_ALLOWED_ACE: type and flags are 0.
const fn allow(bytes: &mut [u8; BYTES], at: usize, mask: u32, account: &[u8]) {
    put(bytes, at + 2, &short(ACE_HEADER + account.len()));
    put(bytes, at + 4, &mask.to_le_bytes());
    put(bytes, at + ACE_HEADER, account);
}

/// A length as these structures hold it; where the field has 32 bits, the upper ones are zero already.
#[expect(clippy::cast_possible_truncation, reason = "lengths of constants, asserted to fit")]
const fn short(length: usize) -> [u8; 2] {
    assert!(length <= u16::MAX as usize);
    (length as u16).to_le_bytes()
}

const fn put(bytes: &mut [u8; BYTES], at: usize, value: &[u8]) {
    let mut index = 0;
    while index < value.len() {
        bytes[at + index] = value[index];
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::vec::Vec;

    fn u16_at(bytes: &[u8], at: usize) -> usize {
        u16::from_le_bytes([bytes[at], bytes[at + 1]]).into()
    }

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    /// The entries as a reader of MS-DTYP finds them: type, flags, mask, account.
    fn entries(descriptor: &Descriptor) -> Vec<(u8, u8, u32, Vec<u8>)> {
        let bytes = &descriptor.bytes;
        assert_eq!((bytes[0], u16_at(bytes, 2)), (1, 0x9004));
        let (owner, group, sacl) = (u32_at(bytes, 4), u32_at(bytes, 8), u32_at(bytes, 12));
        assert_eq!((owner, group, sacl), (0, 0, 0));
        let acl = &bytes[u32_at(bytes, 16) as usize..];
        assert_eq!((acl[0], u16_at(acl, 2)), (2, acl.len()));
        let mut at = 8;
        let entries = (0..u16_at(acl, 4)).map(|_| {
            let ace = &acl[at..at + u16_at(acl, at + 2)];
            at += ace.len();
            // The account ends where its count of sub-authorities says.
            assert_eq!(ace.len(), 8 + 8 + 4 * usize::from(ace[9]));
            (ace[0], ace[1], u32_at(ace, 4), ace[8..].to_vec())
        });
        let entries: Vec<_> = entries.collect();
        assert_eq!(at, acl.len());
        entries
    }

    #[test]
    fn the_system_and_administrators_are_let_in_and_nobody_else() {
        for (descriptor, mask) in [
            (Descriptor::device(), 0x1F01FF),
            (Descriptor::section(SectionAccess::MapRead), 0x5),
            (Descriptor::section(SectionAccess::MapWrite), 0x7),
        ] {
            let expected = [(0, 0, mask, LOCAL_SYSTEM.to_vec()), (0, 0, mask, ADMINISTRATORS.to_vec())];
            assert_eq!(entries(&descriptor), expected);
        }
    }

    #[test]
    fn accounts_are_the_documented_ones() {
        let text = |account: &[u8]| {
            let authority = u64::from_be_bytes([
                0, 0, account[2], account[3], account[4], account[5], account[6], account[7],
            ]);
            let mut text = std::format!("S-{}-{authority}", account[0]);
            for sub in account[8..].as_chunks::<4>().0 {
                text += &std::format!("-{}", u32::from_le_bytes(*sub));
            }
            text
        };
        assert_eq!(text(&LOCAL_SYSTEM), "S-1-5-18");
        assert_eq!(text(&ADMINISTRATORS), "S-1-5-32-544");
    }
}
