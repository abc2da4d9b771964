//! SeAccessCheck, for a caller in user mode.

use skua_engine::abi::nt::{
    FILE_ALL_ACCESS, FILE_GENERIC_EXECUTE, FILE_GENERIC_READ, FILE_GENERIC_WRITE, GENERIC_ALL,
    GENERIC_EXECUTE, GENERIC_READ, GENERIC_WRITE, READ_CONTROL, WRITE_DAC,
};

use super::{Descriptor, Token};

/// What sharing an address takes. The documentation of WSK does not say; this is what opening a transport address for
/// reading and writing asks of a file object, which is what an address is.
pub(crate) const SHARE_ACCESS: u32 = FILE_GENERIC_READ | FILE_GENERIC_WRITE;

/// Whether `descriptor` grants all of `desired`, which has no generic bits, to `token`.
///
/// A descriptor without a list grants everything, one with an empty list nothing. Entries count in their order: what one
/// allows no later one takes back, and one that denies what was not allowed yet ends it. An owner may read the descriptor
/// and change the list.
pub(crate) fn access_check(descriptor: &Descriptor, token: &Token, desired: u32) -> bool {
    let Some(entries) = descriptor.dacl() else { return true };
    let mut left = desired;
    if descriptor.owner().is_some_and(|owner| token.matches(owner, false)) {
        left &= !(READ_CONTROL | WRITE_DAC);
    }
    for entry in entries {
        if left == 0 {
            break;
        }
        if !token.matches(&entry.sid, entry.denies) {
            continue;
        }
        let mask = specific(entry.mask);
        if !entry.denies {
            left &= !mask;
        } else if left & mask != 0 {
            return false;
        }
    }
    left == 0
}

/// What the generic bits of `mask` are for a file.
fn specific(mask: u32) -> u32 {
    let generic = [
        (GENERIC_READ, FILE_GENERIC_READ),
        (GENERIC_WRITE, FILE_GENERIC_WRITE),
        (GENERIC_EXECUTE, FILE_GENERIC_EXECUTE),
        (GENERIC_ALL, FILE_ALL_ACCESS),
    ];
    let of = |(bit, rights): (u32, u32)| if mask & bit == 0 { 0 } else { rights };
    mask | generic.into_iter().map(of).fold(0, |all, rights| all | rights)
}

#[cfg(test)]
mod tests {
    use super::super::descriptor::tests::{Entry, relative};
    use super::super::{Descriptor, Sid, Token};
    use super::*;

    const ALICE: Sid = Sid::LOCAL_SERVICE;

    fn granted(owner: Option<Sid>, entries: Option<&[Entry]>, token: &Token, desired: u32) -> bool {
        let bytes = relative(owner, entries);
        access_check(&Descriptor::of_bytes(&bytes).unwrap(), token, desired)
    }

    #[test]
    fn a_list_decides_entry_by_entry_and_none_grants_everything() {
        let alice = Token::new(ALICE);
        let (read, all) = (FILE_GENERIC_READ, FILE_ALL_ACCESS);
        let allow = |sid, mask| Entry { kind: 0, flags: 0, mask, sid };
        let deny = |sid, mask| Entry { kind: 1, flags: 0, mask, sid };
        assert!(granted(None, None, &alice, all), "no list");
        assert!(!granted(None, Some(&[]), &alice, read), "an empty one");
        for (entries, expected) in [
            (vec![allow(ALICE, all)], true),
            (vec![allow(ALICE, GENERIC_ALL)], true),
            (vec![allow(ALICE, GENERIC_READ)], false),
            (vec![allow(ALICE, GENERIC_READ), allow(Sid::EVERYONE, GENERIC_WRITE)], true),
            (vec![allow(Sid::ADMINISTRATORS, all)], false),
            (vec![deny(ALICE, GENERIC_WRITE), allow(Sid::EVERYONE, all)], false),
            (vec![deny(Sid::ADMINISTRATORS, all), allow(Sid::EVERYONE, all)], true),
            (vec![allow(Sid::EVERYONE, all), deny(ALICE, all)], true),
            (vec![Entry { flags: 8, ..allow(ALICE, all) }], false),
            (vec![Entry { kind: 9, ..allow(ALICE, all) }, allow(ALICE, all)], true),
            (vec![Entry { kind: 9, ..allow(ALICE, all) }], false),
        ] {
            assert_eq!(granted(None, Some(&entries), &alice, SHARE_ACCESS), expected, "{entries:?}");
        }
    }

    #[test]
    fn an_owner_may_change_the_list_and_nothing_else() {
        let alice = Token::new(ALICE);
        assert!(granted(Some(ALICE), Some(&[]), &alice, READ_CONTROL | WRITE_DAC));
        assert!(!granted(Some(ALICE), Some(&[]), &alice, SHARE_ACCESS));
        assert!(!granted(Some(Sid::LOCAL_SYSTEM), Some(&[]), &alice, READ_CONTROL));
    }

    #[test]
    fn a_group_that_only_denies_allows_nothing() {
        let restricted = Token::new(ALICE).with_deny_only(Sid::ADMINISTRATORS);
        let allow = Entry { kind: 0, flags: 0, mask: GENERIC_ALL, sid: Sid::ADMINISTRATORS };
        assert!(!granted(None, Some(&[allow]), &restricted, SHARE_ACCESS));
        let all = Entry { sid: Sid::EVERYONE, ..allow };
        assert!(!granted(None, Some(&[Entry { kind: 1, ..allow }, all]), &restricted, SHARE_ACCESS));
        assert!(granted(None, Some(&[allow]), &Token::system(), SHARE_ACCESS));
    }
}
