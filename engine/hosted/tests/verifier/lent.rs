//! Programs that break rules of indications and of the callbacks that get them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use skua_engine::Kernel;
use skua_engine::abi::nt::mm_get_mapped_system_address;
use skua_engine::abi::status::{
    STATUS_DEVICE_NOT_READY, STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::WSK_DATAGRAM_INDICATION;
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;

use crate::client::Client;
use crate::socket::Socket;

crate::cases! {
    IndicationNotLent: releasing_a_copy, releasing_what_was_consumed_long_ago;
    IndicationReleasedTwice: releasing_twice, releasing_what_was_consumed;
    LentMemoryTouched: reading_after_the_callback, reading_the_indication_after_the_callback,
        writing_after_the_release, reading_beyond_the_data;
    CallbackStatus: an_answer_that_is_none;
    IrqlNotRestored: raised_in_a_callback;
}

/// Where the first byte of a datagram lies.
///
/// # Safety
/// The indication is lent, and its first MDL mapped.
pub(crate) unsafe fn data_of(indication: *mut WSK_DATAGRAM_INDICATION) -> *mut u8 {
    // SAFETY: the caller's promise.
    let buffer = unsafe { (*indication).Buffer };
    // SAFETY: as above.
    let start = unsafe { mm_get_mapped_system_address(buffer.Mdl) };
    start.cast::<u8>().wrapping_add(buffer.Offset as usize)
}

/// Reads a byte, wherever it is.
fn read(at: *const u8) {
    // SAFETY: a breach, which is what is tested: the verifier answers for the page.
    let _ = unsafe { at.read_volatile() };
}

/// A socket that answers `answer`, and where its last indication and its data lie.
fn keeping(
    client: &Client,
    answer: skua_engine::abi::status::NTSTATUS,
) -> (Socket, impl Fn() -> (*mut WSK_DATAGRAM_INDICATION, *mut u8)) {
    let places = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let seen = Arc::clone(&places);
    let socket = Socket::open(client, move |list| {
        seen[0].store(list.expose_provenance(), Ordering::SeqCst);
        // SAFETY: it is lent here, and the loopback's are mapped.
        seen[1].store(unsafe { data_of(list) }.expose_provenance(), Ordering::SeqCst);
        answer
    });
    let last = move || {
        let [list, data] = &*places;
        let list = std::ptr::with_exposed_provenance_mut(list.load(Ordering::SeqCst));
        (list, std::ptr::with_exposed_provenance_mut(data.load(Ordering::SeqCst)))
    };
    (socket, last)
}

fn end(socket: &Socket, client: &Client) {
    assert_eq!(socket.close(), STATUS_SUCCESS);
    client.end();
}

fn releasing_a_copy(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, last) = keeping(&client, STATUS_PENDING);
    socket.receive_one();
    // SAFETY: retained.
    let mut copy = unsafe { last().0.read() };
    assert_eq!(socket.release(&raw mut copy), STATUS_INVALID_PARAMETER);
    assert_eq!(socket.release(last().0), STATUS_SUCCESS);
    end(&socket, &client);
}

fn releasing_what_was_consumed_long_ago(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, _) = keeping(&client, STATUS_SUCCESS);
    let made: *mut WSK_DATAGRAM_INDICATION = Box::leak(Box::new(zeroed()));
    assert_eq!(socket.release(made), STATUS_INVALID_PARAMETER);
    end(&socket, &client);
}

fn releasing_twice(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, last) = keeping(&client, STATUS_PENDING);
    socket.receive_one();
    assert_eq!(socket.release(last().0), STATUS_SUCCESS);
    assert_eq!(socket.release(last().0), STATUS_INVALID_PARAMETER);
    end(&socket, &client);
}

fn releasing_what_was_consumed(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, last) = keeping(&client, STATUS_SUCCESS);
    // The first has certainly been taken back when the second comes.
    socket.receive_one();
    let first = last().0;
    socket.receive_one();
    assert_eq!(socket.release(first), STATUS_INVALID_PARAMETER);
    end(&socket, &client);
}

fn reading_after_the_callback(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, last) = keeping(&client, STATUS_SUCCESS);
    socket.receive_one();
    let (_, data) = last();
    socket.receive_one();
    // Twice: it is found once.
    read(data);
    read(data);
    end(&socket, &client);
}

fn reading_the_indication_after_the_callback(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, last) = keeping(&client, STATUS_SUCCESS);
    socket.receive_one();
    let (list, _) = last();
    socket.receive_one();
    read(list.cast());
    end(&socket, &client);
}

fn writing_after_the_release(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, last) = keeping(&client, STATUS_PENDING);
    socket.receive_one();
    let (list, data) = last();
    // SAFETY: retained.
    assert_eq!(unsafe { std::slice::from_raw_parts(data, 8) }, b"datagram");
    assert_eq!(socket.release(list), STATUS_SUCCESS);
    // SAFETY: a breach, which is what is tested.
    unsafe { data.write_volatile(1) };
    end(&socket, &client);
}

fn reading_beyond_the_data(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, last) = keeping(&client, STATUS_PENDING);
    socket.receive_one();
    let (list, data) = last();
    for byte in 0..=8 {
        read(data.wrapping_add(byte));
    }
    assert_eq!(socket.release(list), STATUS_SUCCESS);
    end(&socket, &client);
}

fn an_answer_that_is_none(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let (socket, _) = keeping(&client, STATUS_DEVICE_NOT_READY);
    socket.receive_one();
    end(&socket, &client);
}

fn raised_in_a_callback(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let raises = kernel.clone();
    let socket = Socket::open(&client, move |_| {
        let _ = raises.ke_raise_irql_to_dpc_level();
        STATUS_SUCCESS
    });
    socket.receive_one();
    end(&socket, &client);
}
