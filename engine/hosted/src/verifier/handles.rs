//! Rules of what the provider hands out and takes back by address: cached security descriptors and address information.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::{Finding, Object, ObjectKind, Rule, Stack, Verifier};
use crate::kernel::lock::hold;

/// What one verified kernel has handed out.
#[derive(Default)]
pub(crate) struct Handles {
    descriptors: Mutex<BTreeMap<usize, Handed>>,
    addresses: Mutex<BTreeMap<usize, Handed>>,
}

struct Handed {
    created: Stack,
    /// Releases owed; 0 when it was given back.
    owed: u32,
    /// Where it was last given back.
    released: Option<Stack>,
}

impl Handed {
    fn new(created: Stack) -> Self {
        Self { created, owed: 1, released: None }
    }

    /// Once more, or anew at the same address.
    fn again(handed: &mut BTreeMap<usize, Self>, address: usize, created: Stack) {
        match handed.get_mut(&address) {
            Some(known) if known.owed > 0 => known.owed += 1,
            _ => _ = handed.insert(address, Self::new(created)),
        }
    }

    fn describe(&self, finding: Finding) -> Finding {
        finding.created(Some(self.created.clone())).related("released", self.released.as_ref())
    }
}

impl Verifier {
    /// WSK_CACHE_SD, or the query of a socket's descriptor, handed one out.
    pub(crate) fn descriptor_handed_out(&self, descriptor: usize, created: Stack) {
        Handed::again(&mut hold(&self.handles.descriptors), descriptor, created);
    }

    /// A descriptor is given to a socket by `function`. False when it was not handed out, or was released.
    pub(crate) fn descriptor_used(&self, descriptor: usize, function: &str) -> bool {
        let known = hold(&self.handles.descriptors);
        let handed = known.get(&descriptor);
        if handed.is_some_and(|handed| handed.owed > 0) {
            return true;
        }
        let what = if handed.is_some() { "was released" } else { "did not come from WSK_CACHE_SD" };
        let message =
            format!("{function} was given the security descriptor at {descriptor:#x}, which {what}");
        let object = Object { kind: ObjectKind::SecurityDescriptor, address: descriptor };
        let finding = Finding::new(Rule::DescriptorNotCached, object, message).here();
        let finding = match handed {
            Some(handed) => handed.describe(finding),
            None => finding,
        };
        drop(known);
        self.report(vec![finding]);
        false
    }

    /// WSK_RELEASE_SD. False when it must not be done. `uses` is where a pending call was made that the descriptor was
    /// given to, if there is one.
    pub(crate) fn descriptor_released(&self, descriptor: usize, uses: Option<Stack>) -> bool {
        let mut known = hold(&self.handles.descriptors);
        let object = Object { kind: ObjectKind::SecurityDescriptor, address: descriptor };
        let found = match known.get_mut(&descriptor) {
            Some(handed) if handed.owed > 0 => {
                if let (1, Some(uses)) = (handed.owed, &uses) {
                    let message = format!(
                        "WSK_RELEASE_SD of the security descriptor at {descriptor:#x} before the IRP of a call that it was \
                         given to has completed"
                    );
                    let finding = Finding::new(Rule::DescriptorReleasedInUse, object, message).here();
                    Some(handed.describe(finding).related("given to a call", Some(uses)))
                } else {
                    handed.owed -= 1;
                    handed.released = Some(Stack::capture());
                    None
                }
            }
            handed => {
                let message = format!(
                    "WSK_RELEASE_SD of the security descriptor at {descriptor:#x}, for which no release is owed"
                );
                let finding = Finding::new(Rule::DescriptorReleasedTwice, object, message).here();
                Some(match handed {
                    Some(handed) => handed.describe(finding),
                    None => finding,
                })
            }
        };
        drop(known);
        let fine = found.is_none();
        self.report(found.into_iter().collect());
        fine
    }

    /// WskGetAddressInfo handed a list out.
    pub(crate) fn address_info_handed_out(&self, list: usize, created: Stack) {
        hold(&self.handles.addresses).insert(list, Handed::new(created));
    }

    /// WskFreeAddressInfo. False when it must not be done.
    pub(crate) fn address_info_freed(&self, list: usize) -> bool {
        let mut known = hold(&self.handles.addresses);
        let object = Object { kind: ObjectKind::AddressInfo, address: list };
        let found = match known.get_mut(&list) {
            Some(handed) if handed.owed > 0 => {
                handed.owed = 0;
                handed.released = Some(Stack::capture());
                None
            }
            handed => {
                let what = if handed.is_some() { "was freed" } else { "did not come from WskGetAddressInfo" };
                let message = format!("WskFreeAddressInfo of the list at {list:#x}, which {what}");
                let finding = Finding::new(Rule::AddressInfoNotLent, object, message).here();
                Some(match handed {
                    Some(handed) => handed.describe(finding),
                    None => finding,
                })
            }
        };
        drop(known);
        let fine = found.is_none();
        self.report(found.into_iter().collect());
        fine
    }

    /// What was not given back, as leaks.
    pub(super) fn descriptors_left(&self) -> Vec<Finding> {
        left(&hold(&self.handles.descriptors), ObjectKind::SecurityDescriptor, "security descriptor")
    }

    /// As [`Verifier::descriptors_left`].
    pub(super) fn addresses_left(&self) -> Vec<Finding> {
        left(&hold(&self.handles.addresses), ObjectKind::AddressInfo, "address information")
    }
}

fn left(handed: &BTreeMap<usize, Handed>, kind: ObjectKind, what: &str) -> Vec<Finding> {
    let left = handed.iter().filter(|(_, handed)| handed.owed > 0).map(|(address, handed)| {
        let message = format!(
            "the last handle of the kernel is gone, and the {what} at {address:#x} is not given back"
        );
        handed.describe(Finding::new(Rule::Leaked, Object { kind, address: *address }, message))
    });
    left.collect()
}
