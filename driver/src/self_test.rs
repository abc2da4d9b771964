//! Checks that run inside the kernel: what the driver leans on, asked of the kernel it is loaded into.
//!
//! They leave nothing behind. A program asks for them with
//! [`ControlCode::SelfTest`](skua_protocol::ControlCode::SelfTest). The checks of the kernel are here, those of its WSK
//! provider are the conformance suite.

// UNSAFETY: calls the kernel's routines as the driver does.
#![expect(unsafe_code, reason = "the kernel's routines take raw pointers")]

mod provider;
mod rows;

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use skua_engine::abi::nt::{
    DEVICE_OBJECT, DISPATCH_LEVEL, EmbeddedIrp, IO_NO_INCREMENT, IO_SIZE_OF_IRP_1, IRP, KEVENT,
    PASSIVE_LEVEL, io_set_completion_routine, io_set_next_irp_stack_location,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_MORE_PROCESSING_REQUIRED, STATUS_OBJECT_NAME_COLLISION,
    STATUS_SUCCESS, STATUS_TIMEOUT,
};
use skua_engine::abi::zeroed;
use skua_engine::{Dispatch, Passive};
use skua_pools::{SharedMemory as _, Tag};
use skua_protocol::SelfTestOutcome;

use crate::executive::{Executive, SectionAccess};
use crate::request::Request;
use crate::sections::Sections;
use rows::Rows;

const TAG: Tag = Tag::new(b"SkTe");

/// 2020-01-01 in units of 100 ns since 1601-01-01: every clock that is set is beyond it.
const YEAR_2020: u64 = 132_223_104_000_000_000;

/// A rule's name; what it expects and what is seen.
type Check<E> = (&'static str, fn(&E) -> (u64, u64));

/// Completes `request` with the results of all checks: of the kernel, then of its WSK provider.
///
/// # IRQL
/// PASSIVE_LEVEL, in a thread of the system process.
pub(crate) fn run<E: Executive>(executive: &E, request: Request, _passive: &Passive<'_>) {
    let mut rows = Rows::new(request);
    for (name, check) in checks::<E>() {
        let (expected, seen) = check(executive);
        let outcome = if expected == seen { SelfTestOutcome::Kept } else { SelfTestOutcome::Broken };
        rows.push("driver", name, outcome, &format_args!("{expected:#x}"), &format_args!("{seen:#x}"));
    }
    provider::run(executive, &mut rows);
    rows.finish(executive);
}

fn checks<E: Executive>() -> [Check<E>; 11] {
    [
        ("a status raised inside the guarded thunk comes back", raise),
        ("raising goes to DISPATCH_LEVEL and lowering back", levels),
        ("a raised processor's index is below the maximum", processor),
        ("the performance counter counts forward", counter),
        ("the system time is set", system_time),
        ("pool memory is zeroed, and accounted until it is freed", pool),
        ("a section is zeroed and written through its address", section),
        ("a section's name is taken while it lives", collision),
        ("a wait without a signal times out, one with a signal succeeds", wait),
        ("a packet's completion routine runs once", completion),
        ("a system thread runs, and its end is waited for", thread),
    ]
}

fn raise<E: Executive>(executive: &E) -> (u64, u64) {
    let status = |status: NTSTATUS| u64::from(status.to_bits());
    (status(STATUS_ACCESS_DENIED), status(executive.raise_guarded(STATUS_ACCESS_DENIED)))
}

fn levels<E: Executive>(executive: &E) -> (u64, u64) {
    let raised = Dispatch::with(executive, |_| executive.ke_get_current_irql());
    let pair = |raised: u8, lowered: u8| u64::from(raised) << 8 | u64::from(lowered);
    (pair(DISPATCH_LEVEL, PASSIVE_LEVEL), pair(raised, executive.ke_get_current_irql()))
}

fn processor<E: Executive>(executive: &E) -> (u64, u64) {
    let index = Dispatch::with(executive, Dispatch::processor);
    (1, u64::from(index < executive.ke_query_maximum_processor_count()))
}

fn counter<E: Executive>(executive: &E) -> (u64, u64) {
    let before = executive.ke_query_performance_counter();
    let forward = (0..1000).all(|_| executive.ke_query_performance_counter() >= before);
    (1, u64::from(forward && executive.performance_frequency() > 0))
}

fn system_time<E: Executive>(executive: &E) -> (u64, u64) {
    (1, u64::from(executive.ke_query_system_time_precise() > YEAR_2020))
}

fn pool<E: Executive>(executive: &E) -> (u64, u64) {
    const WORDS: usize = 1000;
    let in_use = || {
        let mut accounts = (0..).map_while(|index| executive.pool_use(index));
        accounts.find(|account| account.tag == TAG).map_or(0, |account| account.in_use)
    };
    let before = in_use();
    // SAFETY: as `Memory::allocate` asks; freed below with the same numbers.
    let Some(address) = executive.allocate(WORDS * 8, TAG) else { return (1, 0) };
    // SAFETY: so many words, aligned to 16 bytes, and nobody else's.
    let words = unsafe { core::slice::from_raw_parts(address.cast::<u64>().as_ptr(), WORDS) };
    let zeroed = words.iter().all(|word| *word == 0);
    let during = in_use();
    // SAFETY: allocated above, and not used any more.
    unsafe { executive.free(address, WORDS * 8, TAG) };
    (1, u64::from(zeroed && during == before + WORDS * 8 && in_use() == before))
}

fn section<E: Executive>(executive: &E) -> (u64, u64) {
    let sections = Sections::new(executive.clone());
    let Ok(mapping) = sections.create(0, 8192, 4096) else { return (1, 0) };
    let address = Sections::<E>::data(&mapping).cast::<u64>();
    // SAFETY: 8192 bytes of a section, nobody else's yet.
    let words = unsafe { core::slice::from_raw_parts_mut(address.as_ptr(), 1024) };
    let zeroed = words.iter().all(|word| *word == 0);
    words.fill(7);
    (1, u64::from(zeroed && words.iter().all(|word| *word == 7)))
}

fn collision<E: Executive>(executive: &E) -> (u64, u64) {
    let mut name = [0_u16; 40];
    let digits = executive.unguessable_128().to_be_bytes();
    let text = r"\BaseNamedObjects\Skua-".bytes().chain(digits.iter().map(|byte| b'a' + (byte & 0xf)));
    for (place, byte) in name.iter_mut().zip(text.chain(core::iter::repeat(b'x'))) {
        *place = u16::from(byte);
    }
    let first = executive.create_section(&name, 4096, SectionAccess::MapWrite);
    let second = executive.create_section(&name, 4096, SectionAccess::MapWrite).err();
    let seen = second.filter(|_| first.is_ok()).map_or(0, |status| u64::from(status.to_bits()));
    (u64::from(STATUS_OBJECT_NAME_COLLISION.to_bits()), seen)
}

fn wait<E: Executive>(executive: &E) -> (u64, u64) {
    let event = UnsafeCell::new(zeroed::<KEVENT>());
    // SAFETY: nobody waits for it.
    unsafe { executive.ke_initialize_event(event.get(), false) };
    // SAFETY: initialised, and there until this returns.
    let without = unsafe { executive.ke_wait_for_single_object(event.get(), Some(10_000)) };
    // SAFETY: initialised.
    unsafe { executive.ke_set_event(event.get()) };
    // SAFETY: as above.
    let with = unsafe { executive.ke_wait_for_single_object(event.get(), Some(10_000)) };
    (1, u64::from(without == STATUS_TIMEOUT && with == STATUS_SUCCESS))
}

fn completion<E: Executive>(executive: &E) -> (u64, u64) {
    let (ran, packet) = (AtomicU64::new(0), UnsafeCell::new(zeroed::<EmbeddedIrp>()));
    let irp = EmbeddedIrp::as_irp(packet.get());
    // SAFETY: so many bytes, which hold no packet.
    unsafe { executive.io_initialize_irp(irp, IO_SIZE_OF_IRP_1, 1) };
    let context = ptr::from_ref(&ran).cast_mut().cast::<c_void>();
    // SAFETY: initialised with one location, and the counter outlives the packet.
    unsafe { io_set_completion_routine(irp, Some(count), context, true, true, true) };
    // SAFETY: as a caller does before it hands a packet over.
    unsafe { io_set_next_irp_stack_location(irp) };
    // SAFETY: the packet is this function's.
    unsafe { executive.io_complete_request(irp, IO_NO_INCREMENT) };
    (1, ran.load(Ordering::Acquire))
}

unsafe extern "C" fn count(_device: *mut DEVICE_OBJECT, _irp: *mut IRP, context: *mut c_void) -> NTSTATUS {
    // SAFETY: the counter that `completion` set.
    unsafe { &*context.cast::<AtomicU64>() }.fetch_add(1, Ordering::AcqRel);
    STATUS_MORE_PROCESSING_REQUIRED
}

fn thread<E: Executive>(executive: &E) -> (u64, u64) {
    let ran = AtomicU64::new(0);
    let context = ptr::from_ref(&ran).cast_mut().cast::<c_void>();
    // SAFETY: the counter outlives the thread, whose end is waited for here.
    drop(unsafe { executive.ps_create_system_thread(count_thread, context) });
    (1, ran.load(Ordering::Acquire))
}

unsafe extern "C" fn count_thread(context: *mut c_void) {
    // SAFETY: the counter that `thread` passed.
    unsafe { &*context.cast::<AtomicU64>() }.fetch_add(1, Ordering::AcqRel);
}
