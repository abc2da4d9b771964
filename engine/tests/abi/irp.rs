//! Walking the stack locations of a packet.
#![expect(unsafe_code, reason = "IRP stack locations are reached by address")]

use std::ffi::c_void;
use std::ptr;

use proptest::prelude::*;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, EmbeddedIrp, IO_SIZE_OF_IRP_1, IO_STACK_LOCATION, IO_TYPE_IRP, IRP, SL_INVOKE_ON_CANCEL,
    SL_INVOKE_ON_ERROR, SL_INVOKE_ON_SUCCESS, SL_PENDING_RETURNED, io_get_current_irp_stack_location,
    io_get_next_irp_stack_location, io_mark_irp_pending, io_set_completion_routine,
    io_set_next_irp_stack_location, io_size_of_irp, io_skip_current_irp_stack_location,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED};
use skua_engine::abi::zeroed;

/// A packet with four locations, as `IoInitializeIrp` leaves one.
#[repr(C, align(16))]
struct Packet {
    irp: IRP,
    stack: [IO_STACK_LOCATION; 4],
}

impl Packet {
    fn new() -> Box<Self> {
        let mut packet = Box::new(Self { irp: zeroed(), stack: [zeroed(); 4] });
        let count = 4_i8;
        packet.irp.Type = IO_TYPE_IRP;
        packet.irp.Size = io_size_of_irp(count);
        packet.irp.StackCount = count;
        packet.irp.CurrentLocation = count + 1;
        let end = packet.stack.as_mut_ptr_range().end;
        packet.irp.Tail.Overlay.CurrentStackLocation = end;
        packet
    }
}

unsafe extern "C" fn routine(_: *mut DEVICE_OBJECT, _: *mut IRP, _: *mut c_void) -> NTSTATUS {
    STATUS_MORE_PROCESSING_REQUIRED
}

#[test]
fn a_packet_and_its_locations_take_what_io_size_of_irp_says() {
    assert_eq!(usize::from(io_size_of_irp(4)), size_of::<Packet>());
    assert_eq!(usize::from(IO_SIZE_OF_IRP_1), size_of::<IRP>() + size_of::<IO_STACK_LOCATION>());
    assert!(size_of::<EmbeddedIrp>() >= usize::from(IO_SIZE_OF_IRP_1));
    assert_eq!((io_size_of_irp(0), io_size_of_irp(-1)), (208, 208));
    assert_eq!(usize::from(io_size_of_irp(i8::MAX)), 208 + 127 * 72);
}

#[test]
fn the_location_of_an_embedded_packet_lies_behind_it() {
    let mut embedded: Box<EmbeddedIrp> = Box::new(zeroed());
    let base = ptr::from_mut(&mut *embedded);
    let irp = EmbeddedIrp::as_irp(base);
    assert_eq!(irp.addr(), base.addr());
    assert_eq!(irp.wrapping_add(1).addr(), embedded.Stack.as_ptr().addr());
}

#[test]
fn a_completion_routine_is_set_in_the_next_location_for_the_cases_asked_for() {
    for cases in 0..8_u8 {
        let [success, error, cancel] = [1, 2, 4].map(|case| cases & case != 0);
        let mut packet = Packet::new();
        packet.stack[3].Control = SL_PENDING_RETURNED;
        let irp = &raw mut *packet;
        // SAFETY: the packet is initialised, ours alone, and has locations left.
        unsafe { io_set_completion_routine(irp.cast(), Some(routine), irp.cast(), success, error, cancel) };
        let flags =
            [(success, SL_INVOKE_ON_SUCCESS), (error, SL_INVOKE_ON_ERROR), (cancel, SL_INVOKE_ON_CANCEL)];
        let expected: u8 = flags.iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| flag).sum();
        assert_eq!(packet.stack[3].Control, expected, "what was there before is gone");
        assert!(
            packet.stack[3].CompletionRoutine.is_some_and(|set| ptr::fn_addr_eq(set, routine as Routine))
        );
        assert_eq!(packet.stack[3].Context, irp.cast());
        assert!(packet.stack[..3].iter().all(|other| other.CompletionRoutine.is_none()));
    }
}
type Routine = unsafe extern "C" fn(*mut DEVICE_OBJECT, *mut IRP, *mut c_void) -> NTSTATUS;

#[test]
fn marking_pending_changes_that_bit_of_the_current_location_alone() {
    let mut packet = Packet::new();
    packet.stack[3].Control = SL_INVOKE_ON_SUCCESS;
    let irp = (&raw mut *packet).cast::<IRP>();
    // SAFETY: the packet is initialised, ours alone, and has locations left.
    unsafe { io_set_next_irp_stack_location(irp) };
    // SAFETY: as above; the last location is the current one now.
    unsafe { io_mark_irp_pending(irp) };
    assert_eq!(
        packet.stack.map(|location| location.Control),
        [0, 0, 0, SL_INVOKE_ON_SUCCESS | SL_PENDING_RETURNED]
    );
}

proptest! {
    #[test]
    fn the_number_and_the_address_of_the_current_location_move_together(
        moves in proptest::collection::vec(any::<bool>(), 0..64),
    ) {
        let mut packet = Packet::new();
        let base = packet.stack.as_ptr().addr();
        let irp = (&raw mut *packet).cast::<IRP>();
        let mut current = 5_i8;
        for down in moves {
            match (down, current) {
                // SAFETY: the packet is ours, and a location is left below.
                (true, 2..=5) => unsafe { io_set_next_irp_stack_location(irp) },
                // SAFETY: the packet is ours, and there is a current location.
                (false, 1..=4) => unsafe { io_skip_current_irp_stack_location(irp) },
                _ => continue,
            }
            current += if down { -1 } else { 1 };
            // SAFETY: the packet is ours.
            let number = unsafe { (*irp).CurrentLocation };
            // SAFETY: as above.
            let address = unsafe { io_get_current_irp_stack_location(irp) }.addr();
            // SAFETY: as above.
            let next = unsafe { io_get_next_irp_stack_location(irp) }.addr();
            let index = usize::try_from(current - 1).expect("at least location 1");
            prop_assert_eq!(number, current);
            prop_assert_eq!(address, base + index * size_of::<IO_STACK_LOCATION>());
            prop_assert_eq!(next, address - size_of::<IO_STACK_LOCATION>());
        }
    }
}
