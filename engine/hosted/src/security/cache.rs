//! The descriptors that one client has cached.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use skua_engine::abi::nt::PSECURITY_DESCRIPTOR;

use super::Descriptor;
use crate::HostKernel;
use crate::kernel::lock::hold;

/// Cached descriptors by address, each with the number of releases owed for it.
///
/// A socket holds its descriptor by itself: releasing one that is attached leaves the socket as it is.
#[derive(Debug, Default)]
pub(crate) struct DescriptorCache {
    cached: Mutex<HashMap<usize, (Arc<Descriptor>, u32)>>,
}

impl DescriptorCache {
    /// Hands `descriptor` to the client, which owes one release for it more than before.
    pub(crate) fn lend(&self, kernel: &HostKernel, descriptor: &Arc<Descriptor>) -> PSECURITY_DESCRIPTOR {
        let address = descriptor.as_ptr();
        let mut cached = hold(&self.cached);
        let (_, owed) = cached.entry(address.addr()).or_insert_with(|| (Arc::clone(descriptor), 0));
        *owed += 1;
        kernel.ledger().descriptors.add(1);
        address
    }

    /// The descriptor at an address that a client names; `None` when it is not cached.
    pub(crate) fn find(&self, descriptor: PSECURITY_DESCRIPTOR) -> Option<Arc<Descriptor>> {
        hold(&self.cached).get(&descriptor.addr()).map(|(descriptor, _)| Arc::clone(descriptor))
    }

    /// Pays for one [`DescriptorCache::lend`]; false when none is owed.
    pub(crate) fn release(&self, kernel: &HostKernel, descriptor: PSECURITY_DESCRIPTOR) -> bool {
        let mut cached = hold(&self.cached);
        let Some((_, owed)) = cached.get_mut(&descriptor.addr()) else { return false };
        *owed -= 1;
        if *owed == 0 {
            cached.remove(&descriptor.addr());
        }
        kernel.ledger().descriptors.remove(1);
        true
    }
}
