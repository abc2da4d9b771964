//! Accounts and groups.

use std::fmt;

use skua_engine::abi::nt::{SID_MAX_SUB_AUTHORITIES, SID_REVISION};

/// An account or a group, by its security identifier.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid {
    /// 48 bits.
    authority: u64,
    count: u8,
    /// Zero behind `count`.
    subauthorities: [u32; MOST],
}

/// Subauthorities of one SID at most.
const MOST: usize = SID_MAX_SUB_AUTHORITIES as usize;

/// Bytes before the subauthorities.
pub(super) const SID_HEADER: usize = 8;

impl Sid {
    /// S-1-1-0: everybody.
    pub const EVERYONE: Self = Self::well_known(1, [0, 0]);
    /// S-1-5-11: everybody who logged on.
    pub const AUTHENTICATED_USERS: Self = Self::well_known(5, [11, 0]);
    /// S-1-5-18: the operating system.
    pub const LOCAL_SYSTEM: Self = Self::well_known(5, [18, 0]);
    /// S-1-5-19: services of low privilege.
    pub const LOCAL_SERVICE: Self = Self::well_known(5, [19, 0]);
    /// S-1-5-32-544: the administrators.
    pub const ADMINISTRATORS: Self = Self::well_known(5, [32, 544]);

    /// The SID of an authority of 48 bits and 1 to 15 subauthorities; `None` for other numbers.
    #[must_use]
    pub fn new(authority: u64, subauthorities: &[u32]) -> Option<Self> {
        let count = u8::try_from(subauthorities.len()).ok()?;
        if authority >> 48 != 0 || count == 0 || count > SID_MAX_SUB_AUTHORITIES {
            return None;
        }
        let mut all = [0; MOST];
        all.iter_mut().zip(subauthorities).for_each(|(to, from)| *to = *from);
        Some(Self { authority, count, subauthorities: all })
    }

    /// As C has it: a [`SID`](skua_engine::abi::nt::SID) with its subauthorities.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let [_, _, authority @ ..] = self.authority.to_be_bytes();
        let mut bytes = vec![SID_REVISION, self.count];
        bytes.extend(authority);
        bytes.extend(self.used().iter().flat_map(|subauthority| subauthority.to_le_bytes()));
        bytes
    }

    /// Reads what C has. `None` when `bytes` are not the whole of one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(SID_HEADER)?;
        let [revision, count, authority @ ..] = *<&[u8; SID_HEADER]>::try_from(header).ok()?;
        let used = rest.get(..usize::from(count) * 4)?;
        if revision != SID_REVISION || count > SID_MAX_SUB_AUTHORITIES {
            return None;
        }
        let mut subauthorities = [0; MOST];
        for (to, from) in subauthorities.iter_mut().zip(used.chunks_exact(4)) {
            *to = u32::from_le_bytes(from.try_into().ok()?);
        }
        let authority = authority.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Some(Self { authority, count, subauthorities })
    }

    /// One or, where the second is not 0, two subauthorities.
    const fn well_known(authority: u64, [first, second]: [u32; 2]) -> Self {
        let mut subauthorities = [0; MOST];
        subauthorities[0] = first;
        subauthorities[1] = second;
        Self { authority, count: if second == 0 { 1 } else { 2 }, subauthorities }
    }

    fn used(&self) -> &[u32] {
        self.subauthorities.get(..usize::from(self.count)).unwrap_or_default()
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-{SID_REVISION}-{}", self.authority)?;
        self.used().iter().try_for_each(|subauthority| write!(f, "-{subauthority}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sids_are_written_and_read_as_windows_does() {
        assert_eq!(Sid::ADMINISTRATORS.to_string(), "S-1-5-32-544");
        assert_eq!(Sid::LOCAL_SYSTEM.to_bytes(), [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]);
        let long = Sid::new(5, &[21, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]).unwrap();
        for sid in [Sid::EVERYONE, Sid::ADMINISTRATORS, long] {
            let mut bytes = sid.to_bytes();
            assert_eq!(Sid::read(&bytes), Some(sid));
            for length in 0..bytes.len() {
                assert_eq!(Sid::read(&bytes[..length]), None, "{length} bytes");
            }
            bytes[0] = 2;
            assert_eq!(Sid::read(&bytes), None, "another revision");
        }
        assert_eq!(Sid::read(&[&[1, 16, 0, 0, 0, 0, 0, 5], &[0; 64][..]].concat()), None);
        assert_eq!(Sid::new(5, &[]), None);
        assert_eq!(Sid::new(5, &[0; 16]), None);
        assert_eq!(Sid::new(1 << 48, &[1]), None);
    }
}
