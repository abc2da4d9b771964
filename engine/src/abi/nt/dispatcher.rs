//! Dispatcher objects: what a thread can wait for.

use core::ffi::c_void;

use bytemuck::Zeroable;

use super::{KDPC, LIST_ENTRY};

/// What every dispatcher object begins with. Only NT's `Ke` functions read or write it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct DISPATCHER_HEADER {
    /// The kind of object: 0 a notification event, 1 a synchronization event, 2 a mutex, 5 a semaphore, 8 and 9 timers.
    pub Type: u8,
    /// Depends on the kind.
    pub Signalling: u8,
    /// Size of the object in units of 4 bytes.
    pub Size: u8,
    /// Depends on the kind.
    pub Reserved1: u8,
    /// Above zero when the object is signalled.
    pub SignalState: i32,
    /// The wait blocks of the threads that wait.
    pub WaitListHead: LIST_ENTRY,
}
layout!(DISPATCHER_HEADER { size: 24, align: 8, Type: 0, Size: 2, SignalState: 4, WaitListHead: 8 });

/// An event.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct KEVENT {
    /// The dispatcher header.
    pub Header: DISPATCHER_HEADER,
}
layout!(KEVENT { size: 24, align: 8, Header: 0, Header.SignalState: 4, Header.WaitListHead: 8 });

/// Which kind of [`KEVENT`] to make.
pub type EVENT_TYPE = i32;
/// [`EVENT_TYPE`]: stays signalled, and frees every waiter, until it is reset.
pub const NotificationEvent: EVENT_TYPE = 0;
/// [`EVENT_TYPE`]: frees one waiter and resets itself.
pub const SynchronizationEvent: EVENT_TYPE = 1;

/// Why a thread waits.
pub type KWAIT_REASON = i32;
/// [`KWAIT_REASON`]: what drivers wait with.
pub const Executive: KWAIT_REASON = 0;

/// Whether a wait for several objects ends with any of them or with all.
pub type WAIT_TYPE = i32;
/// [`WAIT_TYPE`]: all objects.
pub const WaitAll: WAIT_TYPE = 0;
/// [`WAIT_TYPE`]: the first object.
pub const WaitAny: WAIT_TYPE = 1;
/// How many objects a wait can name without memory for its wait blocks.
pub const THREAD_WAIT_OBJECTS: u32 = 3;

/// A semaphore.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct KSEMAPHORE {
    /// The dispatcher header; the count is its `SignalState`.
    pub Header: DISPATCHER_HEADER,
    /// The largest count.
    pub Limit: i32,
}
layout!(KSEMAPHORE { size: 32, align: 8, Header: 0, Limit: 24 });

/// A mutex.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct KMUTEX {
    /// The dispatcher header.
    pub Header: DISPATCHER_HEADER,
    /// Its link in the owner's list of mutexes.
    pub MutantListEntry: LIST_ENTRY,
    /// The owning thread.
    pub OwnerThread: *mut c_void,
    /// Whether an owner ended without releasing it.
    pub Abandoned: u8,
    /// Whether owning it disables kernel asynchronous procedure calls.
    pub ApcDisable: u8,
}
layout!(KMUTEX {
    size: 56,
    align: 8,
    Header: 0,
    MutantListEntry: 24,
    OwnerThread: 40,
    Abandoned: 48,
    ApcDisable: 49
});

/// A mutex that costs less, cannot be taken twice and raises to `APC_LEVEL`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct FAST_MUTEX {
    /// 1 when it is free.
    pub Count: i32,
    /// The owning thread.
    pub Owner: *mut c_void,
    /// How often a thread had to wait.
    pub Contention: u32,
    /// What waiters wait for.
    pub Event: KEVENT,
    /// The owner's level before it took the mutex.
    pub OldIrql: u32,
}
layout!(FAST_MUTEX { size: 56, align: 8, Count: 0, Owner: 8, Contention: 16, Event: 24, OldIrql: 48 });

/// A timer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Zeroable)]
pub struct KTIMER {
    /// The dispatcher header.
    pub Header: DISPATCHER_HEADER,
    /// When it expires next, in interrupt time of 100 ns.
    pub DueTime: u64,
    /// Its link in the processor's timer table.
    pub TimerListEntry: LIST_ENTRY,
    /// What is queued when it expires, or null; encoded by the kernel.
    pub Dpc: *mut KDPC,
    /// The processor it belongs to.
    pub Processor: u32,
    /// Milliseconds between expirations; 0 for one only.
    pub Period: u32,
}
layout!(KTIMER {
    size: 64,
    align: 8,
    Header: 0,
    DueTime: 24,
    TimerListEntry: 32,
    Dpc: 48,
    Processor: 56,
    Period: 60
});
