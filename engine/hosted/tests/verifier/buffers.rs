//! Programs that break rules of WSK_BUFs and MDLs that are handed over.

use std::ptr;

use skua_engine::Kernel;
use skua_engine::abi::nt::{MDL, mm_initialize_mdl};
use skua_engine::abi::status::{STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_BUF;
use skua_hosted::HostKernel;
use skua_pools::{Memory, Tag};

use crate::client::Client;
use crate::socket::{Operation, Socket, buffer};

const TAG: Tag = Tag::new(b"Case");

crate::cases! {
    BufferIllFormed: no_buffer, no_mdl, an_offset_behind_the_first_mdl, a_chain_shorter_than_the_length;
    MdlNotLocked: sending_pages_that_are_not_locked;
    BufferChangedInUse: writing_to_a_pending_send;
    BufferFreedInUse: freeing_the_data_of_a_pending_send;
}

fn sending(kernel: &HostKernel, program: impl FnOnce(&Socket)) {
    let client = Client::new(kernel);
    let socket = Socket::open(&client, |_| STATUS_SUCCESS);
    program(&socket);
    assert_eq!(socket.close(), STATUS_SUCCESS);
    client.end();
}

fn refused(kernel: &HostKernel, buffer: *mut WSK_BUF) {
    sending(kernel, |socket| assert_eq!(socket.send(buffer), STATUS_INVALID_PARAMETER));
}

fn no_buffer(kernel: &HostKernel) {
    refused(kernel, ptr::null_mut());
}

fn no_mdl(kernel: &HostKernel) {
    refused(kernel, &mut WSK_BUF { Mdl: ptr::null_mut(), Offset: 0, Length: 1 });
}

fn an_offset_behind_the_first_mdl(kernel: &HostKernel) {
    refused(kernel, &mut WSK_BUF { Offset: 9, Length: 1, ..buffer(kernel, b"8 bytes.") });
}

fn a_chain_shorter_than_the_length(kernel: &HostKernel) {
    refused(kernel, &mut WSK_BUF { Offset: 1, Length: 8, ..buffer(kernel, b"8 bytes.") });
}

fn sending_pages_that_are_not_locked(kernel: &HostKernel) {
    let mut buffer = buffer(kernel, b"8 bytes.");
    // SAFETY: its own MDL.
    unsafe { (*buffer.Mdl).MdlFlags = 0 };
    refused(kernel, &raw mut buffer);
}

/// A send of `buffer` that waits for room until `program` is over.
fn pending(kernel: &HostKernel, mut buffer: WSK_BUF, program: impl FnOnce()) {
    sending(kernel, |socket| {
        kernel.set_congested(true);
        let operation = Operation::new(kernel);
        assert_eq!(socket.start_send(&raw mut buffer, &operation), STATUS_PENDING);
        program();
        kernel.set_congested(false);
        assert_eq!(operation.wait().0, STATUS_SUCCESS);
    });
}

fn writing_to_a_pending_send(kernel: &HostKernel) {
    let buffer = buffer(kernel, b"8 bytes.");
    // SAFETY: its own MDL, which describes nonpaged pool.
    let data = unsafe { (*buffer.Mdl).MappedSystemVa }.cast::<u8>();
    // SAFETY: a breach, which is what is tested; the memory stays.
    pending(kernel, buffer, || unsafe { data.write_volatile(b'9') });
}

fn freeing_the_data_of_a_pending_send(kernel: &HostKernel) {
    let memory = kernel.allocate(64, TAG).expect("memory");
    let mdl = Box::leak(vec![0u64; 16].into_boxed_slice()).as_mut_ptr().cast::<MDL>();
    // SAFETY: room for the header and two pages.
    unsafe { mm_initialize_mdl(mdl, memory.as_ptr().cast(), 64) };
    // SAFETY: as above.
    unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) };
    // SAFETY: allocated so; the first time is a breach, which is what is tested.
    let free = || unsafe { kernel.free(memory, 64, TAG) };
    pending(kernel, WSK_BUF { Mdl: mdl, Offset: 0, Length: 8 }, free);
    free();
}
