//! The kernel below: levels and processors, IRPs, events, MDLs, memory, clocks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, DISPATCH_LEVEL, IRP, KEVENT, PASSIVE_LEVEL, io_mark_irp_pending,
    io_set_completion_routine, io_set_next_irp_stack_location, io_size_of_irp,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_SUCCESS, STATUS_TIMEOUT, STATUS_UNSUCCESSFUL,
};
use skua_engine::abi::zeroed;
use skua_hosted::{HostConfig, HostKernel};
use skua_pools::{Memory, Tag};

const TAG: Tag = Tag::new(b"Test");

fn host(processors: u32) -> HostKernel {
    HostKernel::new(HostConfig { processors, ..HostConfig::default() })
}

#[test]
fn a_raised_thread_has_its_processor_to_itself() {
    let kernel = host(2);
    let inside = [AtomicU32::new(0), AtomicU32::new(0)];
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let irql = kernel.ke_raise_irql_to_dpc_level();
                    assert_eq!((irql, kernel.ke_get_current_irql()), (PASSIVE_LEVEL, DISPATCH_LEVEL));
                    let processor = kernel.ke_get_current_processor_index() as usize;
                    assert_eq!(inside[processor].fetch_add(1, Ordering::SeqCst), 0, "entered twice");
                    assert_eq!(inside[processor].fetch_sub(1, Ordering::SeqCst), 1);
                    // SAFETY: what raising returned.
                    unsafe { kernel.ke_lower_irql(irql) };
                }
            });
        }
    });
    assert_eq!(kernel.ke_query_maximum_processor_count(), 2);
}

#[test]
fn nested_raises_keep_the_processor_and_count() {
    let kernel = host(4);
    let first = kernel.ke_raise_irql_to_dpc_level();
    let processor = kernel.ke_get_current_processor_index();
    let second = kernel.ke_raise_irql_to_dpc_level();
    assert_eq!((first, second), (PASSIVE_LEVEL, DISPATCH_LEVEL));
    assert_eq!(kernel.ke_get_current_processor_index(), processor);
    // SAFETY: in reverse order.
    unsafe { kernel.ke_lower_irql(second) };
    assert_eq!(kernel.ke_get_current_irql(), DISPATCH_LEVEL);
    // SAFETY: as above.
    unsafe { kernel.ke_lower_irql(first) };
    assert_eq!(kernel.ke_get_current_irql(), PASSIVE_LEVEL);
    let again = kernel.ke_raise_irql_to_dpc_level();
    assert_eq!(kernel.ke_get_current_processor_index(), processor, "a thread prefers where it was");
    // SAFETY: as above.
    unsafe { kernel.ke_lower_irql(again) };
}

#[test]
fn memory_is_zeroed_aligned_accounted_and_fails_when_told() {
    let kernel = host(1);
    let first = kernel.allocate(100, TAG).unwrap();
    assert_eq!(first.as_ptr().addr() % 16, 0);
    // SAFETY: 100 bytes were allocated.
    assert!(unsafe { std::slice::from_raw_parts(first.as_ptr(), 100) }.iter().all(|byte| *byte == 0));
    kernel.fail_allocation(2);
    let second = kernel.allocate(50, TAG).unwrap();
    assert!(kernel.allocate(50, TAG).is_none(), "the second from then on");
    let other = kernel.allocate(8, Tag::new(b"Othr")).unwrap();
    assert_eq!(kernel.memory_in_use(), 158);
    // SAFETY: allocated so.
    unsafe { kernel.free(second, 50, TAG) };
    let account = kernel.memory_by_tag().into_iter().find(|account| account.tag == TAG).unwrap();
    assert_eq!((account.in_use, account.high_water, account.allocations), (100, 150, 2));
    // SAFETY: allocated so.
    unsafe { kernel.free(other, 8, Tag::new(b"Othr")) };
    // SAFETY: allocated so.
    unsafe { kernel.free(first, 100, TAG) };
}

#[test]
fn an_event_wakes_its_waiters_and_stays_signalled() {
    let kernel = host(1);
    let mut event: KEVENT = zeroed();
    let at = (&raw mut event).expose_provenance();
    let event = || std::ptr::with_exposed_provenance_mut::<KEVENT>(at);
    // SAFETY: a local event that outlives every wait.
    unsafe { kernel.ke_initialize_event(event(), false) };
    // SAFETY: as above.
    let wait = |timeout| unsafe { kernel.ke_wait_for_single_object(event(), timeout) };
    assert_eq!(wait(Some(0)), STATUS_TIMEOUT);
    let begun = Instant::now();
    assert_eq!(wait(Some(100_000)), STATUS_TIMEOUT);
    assert!(begun.elapsed() >= Duration::from_millis(10), "units of 100 ns");
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..3).map(|_| scope.spawn(|| wait(None))).collect();
        std::thread::sleep(Duration::from_millis(5));
        // SAFETY: as above.
        unsafe { kernel.ke_set_event(event()) };
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap() == STATUS_SUCCESS));
    });
    assert_eq!(wait(None), STATUS_SUCCESS, "a notification event");
    // SAFETY: as above.
    unsafe { kernel.ke_clear_event(event()) };
    assert_eq!(wait(Some(0)), STATUS_TIMEOUT);
}

/// What the completion routines of the test below did, in order.
static TRACE: std::sync::Mutex<Vec<(usize, bool)>> = std::sync::Mutex::new(Vec::new());

unsafe extern "C" fn note(_: *mut DEVICE_OBJECT, irp: *mut IRP, context: *mut std::ffi::c_void) -> NTSTATUS {
    // SAFETY: the packet is being completed.
    let pending = unsafe { (*irp).PendingReturned } != 0;
    TRACE.lock().unwrap().push((context.addr(), pending));
    if context.addr() >= 3 { STATUS_MORE_PROCESSING_REQUIRED } else { STATUS_SUCCESS }
}

#[test]
fn completion_climbs_the_stack_and_stops_where_more_processing_is_required() {
    let kernel = host(1);
    let mut memory = vec![0u128; usize::from(io_size_of_irp(4)).div_ceil(16)];
    let irp: *mut IRP = memory.as_mut_ptr().cast();
    // SAFETY: memory for four locations.
    unsafe { kernel.io_initialize_irp(irp, io_size_of_irp(4), 4) };
    // From the owner down: 4 is reached when 3 has completed it again, 3 keeps the packet, 1 is the lowest and wants errors only.
    for (context, on_success, on_error) in
        [(4, true, true), (3, true, true), (2, true, true), (1, false, true)]
    {
        let context = std::ptr::without_provenance_mut(context);
        // SAFETY: a location is left.
        unsafe { io_set_completion_routine(irp, Some(note), context, on_success, on_error, false) };
        // SAFETY: as above.
        unsafe { io_set_next_irp_stack_location(irp) };
    }
    // SAFETY: the packet has a current location.
    unsafe { io_mark_irp_pending(irp) };
    // SAFETY: owned by this test.
    unsafe { (*irp).IoStatus.Status = STATUS_SUCCESS };
    // SAFETY: given up here.
    unsafe { kernel.io_complete_request(irp, 0) };
    // Location 1 was marked and is passed over, which passes its mark on; whoever is called has to pass it on himself.
    assert_eq!(*TRACE.lock().unwrap(), [(2, true), (3, false)]);
    // SAFETY: location 3 kept it, and may complete it again, which climbs on from there.
    unsafe { (*irp).IoStatus.Status = STATUS_UNSUCCESSFUL };
    // SAFETY: as above.
    unsafe { kernel.io_complete_request(irp, 0) };
    assert_eq!(TRACE.lock().unwrap().last(), Some(&(4, false)));
}

#[test]
fn clocks_run_in_their_units() {
    let kernel = host(1);
    let (counter, interrupt) = (kernel.ke_query_performance_counter(), kernel.ke_query_interrupt_time());
    std::thread::sleep(Duration::from_millis(30));
    let ticks = kernel.ke_query_performance_counter() - counter;
    let expected = kernel.performance_frequency() * 30 / 1000;
    assert!((expected..100 * expected).contains(&ticks), "{ticks}");
    // The coarse clock may lag a timer tick behind at either end.
    assert!(kernel.ke_query_interrupt_time() - interrupt >= 150_000);
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(kernel.ke_query_system_time_precise() / 10_000_000 - 11_644_473_600 - unix <= 1);
}
