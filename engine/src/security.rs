//! Security descriptors in the form that sockets take.

// UNSAFETY: WskControlClient with descriptors that the caller vouches for.
#![expect(unsafe_code, reason = "WSK_CACHE_SD and WSK_RELEASE_SD take and give addresses")]

use core::ptr::null_mut;

use crate::abi::nt::PSECURITY_DESCRIPTOR;
use crate::abi::status::NTSTATUS;
use crate::abi::wsk::{WSK_CACHE_SD, WSK_RELEASE_SD};
use crate::kernel::Kernel;
use crate::registration::Provider;

/// The provider refused to cache a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("WSK_CACHE_SD failed with {0}: is the security descriptor valid and self-relative?")]
pub struct CacheError(pub NTSTATUS);

/// A descriptor that the provider has cached: the only kind that [`SocketOptions`](crate::SocketOptions) takes.
///
/// Dropping it is WSK_RELEASE_SD. A socket keeps nothing of it after it was opened, so it may go then; not before.
pub struct SecurityDescriptor<'p, K: Kernel> {
    provider: &'p Provider<K>,
    cached: PSECURITY_DESCRIPTOR,
}

impl<K: Kernel> Provider<K> {
    /// Caches a security descriptor (WSK docs, WSK_CACHE_SD).
    ///
    /// # Errors
    /// [`CacheError`] with the provider's status.
    ///
    /// # Safety
    /// `descriptor` points at a valid security descriptor for the time of the call.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub unsafe fn cache_security_descriptor(
        &self,
        descriptor: PSECURITY_DESCRIPTOR,
    ) -> Result<SecurityDescriptor<'_, K>, CacheError> {
        let mut input = descriptor;
        let mut cached: PSECURITY_DESCRIPTOR = null_mut();
        let size = size_of::<PSECURITY_DESCRIPTOR>();
        let (given, returned) = ((&raw mut input).cast(), (&raw mut cached).cast());
        // SAFETY: both buffers are variables that hold a pointer, as the code takes them.
        let status = unsafe { self.control(WSK_CACHE_SD, (size, given), (size, returned)) };
        if status.is_success() {
            Ok(SecurityDescriptor { provider: self, cached })
        } else {
            Err(CacheError(status))
        }
    }
}

impl<K: Kernel> SecurityDescriptor<'_, K> {
    /// The cached descriptor, as long as this lives.
    #[must_use]
    pub(crate) fn as_ptr(&self) -> PSECURITY_DESCRIPTOR {
        self.cached
    }
}

impl<K: Kernel> Drop for SecurityDescriptor<'_, K> {
    fn drop(&mut self) {
        let size = size_of::<PSECURITY_DESCRIPTOR>();
        let given = (&raw mut self.cached).cast();
        // SAFETY: cached by this provider, and released once.
        let _only_if_not_cached =
            unsafe { self.provider.control(WSK_RELEASE_SD, (size, given), (0, null_mut())) };
    }
}
