//! The rules: what each means, and what to do when it is broken.

use std::fmt;

macro_rules! rules {
    ($($variant:ident $id:literal $meaning:literal $advice:literal)+) => {
        /// A rule of NT or WSK that the verifier watches. Each has an identifier that stays the same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(
                #[doc = concat!("`", $id, "`: ", $meaning)]
                ///
                #[doc = $advice]
                $variant,
            )+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its identifier: words in lower case with hyphens.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The rule itself.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to do about it.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)+ }
            }
        }
    };
}

rules! {
    IrpNotInitialized "irp-not-initialized"
        "An IRP is initialised by IoInitializeIrp or IoAllocateIrp before anything else is done with it."
        "Call IoInitializeIrp once on the memory of the IRP; check that the pointer is that of the IRP."
    IrpTooSmall "irp-too-small"
        "The memory of an IRP holds the IRP and its stack locations: IoSizeOfIrp(StackSize) bytes."
        "Pass IoSizeOfIrp(StackSize) as PacketSize and allocate as much; sizeof(IRP) has no room for the locations."
    IrpInitializedInUse "irp-initialized-in-use"
        "An IRP belongs to the driver it was handed to until its completion routine runs; nobody else initialises it."
        "Wait for the completion routine before IoInitializeIrp, or use another IRP."
    IrpReusedInUse "irp-reused-in-use"
        "An IRP belongs to the driver it was handed to until its completion routine runs; nobody else reuses it."
        "Wait for the completion routine before IoReuseIrp; a call that timed out still has the IRP after IoCancelIrp."
    IrpFreedInUse "irp-freed-in-use"
        "The memory of an IRP stays until its completion routine has run."
        "Cancel the IRP with IoCancelIrp and wait for the completion routine before freeing the memory that holds it."
    IrpHandedOverInUse "irp-handed-over-in-use"
        "An IRP is handed to one function at a time."
        "Wait for the completion routine of the first call, or use another IRP for the second."
    IrpWithoutCompletionRoutine "irp-without-completion-routine"
        "An IRP that is handed to WSK has a completion routine that is invoked on success, on error and on cancellation."
        "Call IoSetCompletionRoutine(Irp, Routine, Context, TRUE, TRUE, TRUE) before each call; IoReuseIrp and completion \
         clear it."
    IrpChangedInUse "irp-changed-in-use"
        "Nobody writes to an IRP while a driver has it, but for IoCancelIrp."
        "Set the completion routine before the call, not after it, and keep other writers away from the memory of the IRP."
    IrpCompletedTwice "irp-completed-twice"
        "An IRP is completed once, by the driver that has it."
        "Let one path own the IRP: take it out of the queue, or IoSetCancelRoutine(Irp, NULL), before completing it."
    IrpCompletionStatus "irp-completion-status"
        "The completion routine of a caller that owns the IRP returns STATUS_MORE_PROCESSING_REQUIRED."
        "Return STATUS_MORE_PROCESSING_REQUIRED; with anything else the I/O manager frees an IRP that is not its own."
    IrqlTooHigh "irql-too-high"
        "A routine is called at or below the IRQL that its documentation names."
        "Call it at PASSIVE_LEVEL: after KeLowerIrql, outside of callbacks and completion routines, or from a work item."
    WaitAtDispatchLevel "wait-at-dispatch-level"
        "A thread at DISPATCH_LEVEL does not wait: only a time-out of zero is allowed there."
        "Wait at PASSIVE_LEVEL; in a callback or completion routine signal an event instead that another thread waits for."
    IrqlLoweredWrongly "irql-lowered-wrongly"
        "KeLowerIrql takes what the matching KeRaiseIrql returned, in reverse order, on the same thread."
        "Keep the old level in a local variable and lower to it once, after everything that was raised later."
    IrqlNotRestored "irql-not-restored"
        "A callback, completion routine or cancel routine returns at the IRQL it was called at."
        "Lower what the routine raised and release the spin locks it took, on every path."
    SpinLockHeld "spin-lock-held"
        "A thread that holds a spin lock stays at DISPATCH_LEVEL and does not wait until it has released it."
        "Release the lock, with IoReleaseCancelSpinLock, before lowering the level."
    SpinLockNotHeld "spin-lock-not-held"
        "A spin lock is released by the thread that acquired it, once."
        "Release once for each acquisition; a cancel routine calls IoReleaseCancelSpinLock once."
    MemoryFreedWrongly "memory-freed-wrongly"
        "Memory is freed once, with the size and tag that it was allocated with."
        "Free the pointer that the allocation returned, once; check that its owner is clear on every path."
    MdlNotLocked "mdl-not-locked"
        "The pages of an MDL are locked, or are nonpaged pool, before anybody maps it or hands it to WSK."
        "Call MmBuildMdlForNonPagedPool for nonpaged pool, or MmProbeAndLockPages for other memory."
    MdlMappedTwice "mdl-mapped-twice"
        "An MDL is mapped into system space once."
        "Use MmGetSystemAddressForMdlSafe, which maps it when it is not mapped and returns the address otherwise."
    EventNotInitialized "event-not-initialized"
        "A KEVENT is initialised by KeInitializeEvent before it is set, cleared or waited for."
        "Call KeInitializeEvent first; check that the memory was not freed or overwritten."
    RegistrationUnknown "registration-unknown"
        "The registration functions take a WSK_REGISTRATION that WskRegister succeeded on and WskDeregister has not ended."
        "Check the status of WskRegister, keep the WSK_REGISTRATION at its address, and call WskDeregister once."
    NpiNotCaptured "npi-not-captured"
        "WskReleaseProviderNPI pays for one successful WskCaptureProviderNPI."
        "Release once for each capture that returned STATUS_SUCCESS."
    NpiReleasedInUse "npi-released-in-use"
        "The last capture of the NPI is released when no function of its table is being called."
        "Wait until every thread has returned from WskSocket and the like before WskReleaseProviderNPI."
    NpiUsedAfterRelease "npi-used-after-release"
        "The functions of the provider NPI are called between a capture and its release."
        "Capture the NPI again, or release it later; sockets that exist stay usable without it."
    DeregistrationBlocked "deregistration-blocked"
        "WskDeregister waits until every captured NPI is released, every call has returned and every socket is closed."
        "Close all sockets and wait for the IRPs, then call WskReleaseProviderNPI for each capture, then WskDeregister."
    IrqlTooLow "irql-too-low"
        "A routine that is for DISPATCH_LEVEL, as KeAcquireSpinLockAtDpcLevel is, is called there."
        "Use the variant that raises and lowers, KeAcquireSpinLock and KeReleaseSpinLock, or raise before the call."
    RundownMisused "rundown-misused"
        "Run-down protection is released as often as it was acquired, and initialised anew only when it is run down."
        "Release once for each ExAcquireRundownProtection that returned TRUE, and wait before initialising anew."
    LockMisused "lock-misused"
        "A mutex, push lock or resource is released by the thread that acquired it, and a semaphore counts to its limit."
        "Release what the thread acquired, once, on every path; do not acquire again what cannot be acquired twice."
    MdlLockedWrongly "mdl-locked-wrongly"
        "The pages of an MDL are locked once, unlocked and unmapped before it is freed, and a partial MDL lies in its source."
        "Pair MmProbeAndLockPages with MmUnlockPages, before IoFreeMdl; check the range that IoBuildPartialMdl is given."
    WorkItemQueued "work-item-queued"
        "A work item is queued once until its routine has begun, and not freed before."
        "Queue the next one from the routine, or keep a flag that says whether the item is queued."
    Leaked "leaked"
        "A driver gives everything back before it is unloaded: sockets, NPIs, registrations, IRPs, indications, security \
         descriptors, address information, memory."
        "Unload in the reverse order: release the indications, close the sockets, release the security descriptors, free \
         the address information, release the NPI, deregister, free the memory."
    SocketUsedAfterClose "socket-used-after-close"
        "Nothing is done with a socket after its WskCloseSocket has completed."
        "Clear the pointer before closing; close once; let whoever may use the socket hold a reference or a rundown."
    SocketUsedWhileClosing "socket-used-while-closing"
        "No function of a socket is called after WskCloseSocket was, not even WskRelease."
        "Turn new users away, with a flag and rundown protection, before calling WskCloseSocket."
    SocketClosedInUse "socket-closed-in-use"
        "WskCloseSocket is called when no other thread is inside a function of the socket."
        "Wait until every thread has left, with rundown protection, before calling WskCloseSocket. Pending IRPs may stay."
    SocketClosedWithIndications "socket-closed-with-indications"
        "Retained indications are released before WskCloseSocket is called."
        "Call WskRelease for everything that a receive callback returned STATUS_PENDING for, then close."
    IndicationNotLent "indication-not-lent"
        "WskRelease takes indications that a receive callback got and returned STATUS_PENDING for."
        "Release the list that was indicated, or its nodes; nothing that was consumed by STATUS_SUCCESS, and no copies."
    IndicationReleasedTwice "indication-released-twice"
        "An indication is released once."
        "Clear the pointer when it is released; releasing a node releases what it is linked to, so cut its Next before."
    LentMemoryTouched "lent-memory-touched"
        "An indication and all it leads to is read only until the callback returns, or until WskRelease where it returned \
         STATUS_PENDING, and only within the length of its data."
        "Copy what is needed later before returning, or return STATUS_PENDING and release afterwards; walk the MDLs by \
         WSK_BUF.Length."
    CallbackStatus "callback-status"
        "An event callback returns one of the values that its documentation names."
        "Return STATUS_SUCCESS, or where it is documented STATUS_PENDING, STATUS_DATA_NOT_ACCEPTED or \
         STATUS_REQUEST_NOT_ACCEPTED; accept no more bytes than were indicated."
    DescriptorNotCached "descriptor-not-cached"
        "A security descriptor that is given to a socket came from WSK_CACHE_SD and was not released."
        "Cache it with WskControlClient(WSK_CACHE_SD) and pass the pointer that this returned."
    DescriptorReleasedInUse "descriptor-released-in-use"
        "A security descriptor is not released before the IRP of the call that it was given to has completed."
        "Wait for the completion routine before WskControlClient(WSK_RELEASE_SD)."
    DescriptorReleasedTwice "descriptor-released-twice"
        "A cached security descriptor is released once for each time that it was handed out."
        "Call WSK_RELEASE_SD once for each WSK_CACHE_SD, and once for each copy that SO_WSK_SECURITY returned."
    AddressInfoNotLent "address-info-not-lent"
        "WskFreeAddressInfo takes a list that WskGetAddressInfo returned, once."
        "Free the head of the list, once, and nothing of your own making."
    BufferIllFormed "buffer-ill-formed"
        "A WSK_BUF is there and describes its data: Offset lies in the first MDL, and the chain is as long as Length."
        "Check Offset against MmGetMdlByteCount of the first MDL, and Length against the whole chain."
    BufferChangedInUse "buffer-changed-in-use"
        "The data of a send stays as it is until the IRP completes."
        "Write to the buffer again only in or after the completion routine."
    BufferFreedInUse "buffer-freed-in-use"
        "The memory of a buffer and its MDLs stays until the IRP of the call that it was given to has completed."
        "Free the buffer in or after the completion routine; cancel the IRP or close the socket to make it complete."
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_unique_and_in_the_form_they_are_said_to_have() {
        for (index, rule) in Rule::ALL.iter().enumerate() {
            assert!(rule.id().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{rule}");
            assert!(Rule::ALL[..index].iter().all(|other| other.id() != rule.id()), "{rule}");
            assert!(rule.meaning().ends_with('.') && rule.advice().ends_with('.'), "{rule}");
        }
    }
}
