//! The handler that does next to nothing.

use skua_engine::{Batch, Handler, Passive};
use skua_hosted::HostKernel;

use crate::indications::READ;

/// Adds up the first [`READ`] bytes of each datagram, as the walks do.
pub struct ReadFirst;

impl Handler<HostKernel> for ReadFirst {
    type Shard = u64;

    fn shard(&self, _processor: u32, _passive: &Passive<'_>) -> u64 {
        0
    }

    #[inline]
    fn receive(&self, total: &mut u64, batch: &mut Batch<'_, HostKernel>) {
        let mut sum = *total;
        while let Some(datagram) = batch.next_datagram() {
            let bytes = datagram.payload().read::<READ>().unwrap_or_default();
            for word in bytes.as_chunks().0 {
                sum = sum.wrapping_add(u64::from_ne_bytes(*word));
            }
        }
        *total = sum;
    }
}
