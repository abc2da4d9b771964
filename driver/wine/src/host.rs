//! The one kernel of this process: skua-hosted's processors and provider, over Wine's I/O manager.

use std::sync::OnceLock;

use skua_hosted::{Executive, HostConfig, HostKernel, ProviderConfig, Transport};

use crate::{cancel, packet, report, settings};

/// What the provider completes and cancels packets with.
const EXECUTIVE: Executive = Executive {
    iof_complete_request: packet::IofCompleteRequest,
    io_acquire_cancel_spin_lock: cancel::IoAcquireCancelSpinLock,
    io_release_cancel_spin_lock: cancel::IoReleaseCancelSpinLock,
    breach: |_, message| report::violation(format_args!("{message}")),
};

/// Made when a driver first needs it; it stays until the process ends.
pub(crate) fn kernel() -> &'static HostKernel {
    static KERNEL: OnceLock<HostKernel> = OnceLock::new();
    KERNEL.get_or_init(|| {
        let processors = settings::processors();
        report::note(format_args!("{processors} virtual processors"));
        HostKernel::new(HostConfig {
            processors,
            provider: ProviderConfig { transport: Transport::Os, ..ProviderConfig::default() },
            executive: Some(EXECUTIVE),
            verifier: None,
            faults: None,
        })
    })
}
