//! Programs that break rules of captured NPIs, of security descriptors and of address information.

use std::ptr::{self, null_mut};
use std::sync::Mutex;

use skua_engine::Kernel;
use skua_engine::abi::nt::SECURITY_DESCRIPTOR;
use skua_engine::abi::status::{
    STATUS_DEVICE_NOT_READY, STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{ADDRINFOEXW, WSK_CACHE_SD, WSK_RELEASE_SD, WSK_TRANSPORT_LIST_QUERY};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;
use skua_hosted::middleware::{Arguments, Function, Held};

use crate::client::Client;
use crate::hook;
use crate::socket::{Operation, Socket, bytes_of, control_client, table};

crate::cases! {
    NpiUsedAfterRelease: calling_after_the_release, calling_after_deregistration;
    NpiReleasedInUse: releasing_inside_a_call;
    DescriptorNotCached: a_descriptor_of_ones_own, a_descriptor_that_was_released;
    DescriptorReleasedInUse: releasing_before_the_completion;
    DescriptorReleasedTwice: releasing_a_descriptor_twice;
    AddressInfoNotLent: freeing_a_list_of_ones_own, freeing_a_list_twice;
    IrqlTooHigh: resolving_at_dispatch_level;
    Leaked: leaving_a_descriptor, leaving_a_list;
}

const NONE: (*mut std::ffi::c_void, usize) = (null_mut(), 0);

fn calling_after_the_release(kernel: &HostKernel) {
    let client = Client::new(kernel);
    client.release();
    assert_eq!(control_client(&client, WSK_TRANSPORT_LIST_QUERY, NONE, NONE), STATUS_DEVICE_NOT_READY);
    client.deregister();
}

fn calling_after_deregistration(kernel: &HostKernel) {
    let client = Client::new(kernel);
    client.end();
    assert_eq!(control_client(&client, WSK_TRANSPORT_LIST_QUERY, NONE, NONE), STATUS_DEVICE_NOT_READY);
}

fn releasing_inside_a_call(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let registration = client.registration.expose_provenance();
    hook::set(kernel, move |call| {
        if call.function() == Function::ControlClient {
            let registration = ptr::with_exposed_provenance_mut(registration);
            // SAFETY: registered; the breach is what is tested.
            unsafe { call.kernel().wsk_release_provider_npi(registration) };
        }
        None
    });
    let _ = control_client(&client, WSK_TRANSPORT_LIST_QUERY, NONE, NONE);
    client.deregister();
}

fn cache(client: &Client) -> usize {
    // Self-relative, of the first revision, without an owner and without a list.
    let words = Box::leak(Box::new([0x8000_0001u64, 0, 0]));
    let mut given: *mut SECURITY_DESCRIPTOR = ptr::from_mut(words).cast();
    let mut cached: *mut SECURITY_DESCRIPTOR = null_mut();
    let status = control_client(client, WSK_CACHE_SD, bytes_of(&mut given), bytes_of(&mut cached));
    assert_eq!(status, STATUS_SUCCESS);
    cached.expose_provenance()
}

fn release(client: &Client, descriptor: usize) -> skua_engine::abi::status::NTSTATUS {
    let mut descriptor = ptr::with_exposed_provenance_mut::<SECURITY_DESCRIPTOR>(descriptor);
    control_client(client, WSK_RELEASE_SD, bytes_of(&mut descriptor), NONE)
}

/// WskSocket with a descriptor that it refuses.
fn refused(client: &Client, descriptor: usize) {
    let operation = Operation::new(&client.kernel);
    let _ = Socket::start(client, Socket::events(|_| STATUS_SUCCESS), descriptor, &operation);
    assert_eq!(operation.wait().0, STATUS_INVALID_PARAMETER);
}

fn a_descriptor_of_ones_own(kernel: &HostKernel) {
    let client = Client::new(kernel);
    refused(&client, ptr::from_mut(Box::leak(Box::new(0u64))).expose_provenance());
    client.end();
}

fn a_descriptor_that_was_released(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let cached = cache(&client);
    assert_eq!(release(&client, cached), STATUS_SUCCESS);
    refused(&client, cached);
    client.end();
}

fn releasing_before_the_completion(kernel: &HostKernel) {
    static HELD: Mutex<Option<Held>> = Mutex::new(None);
    let client = Client::new(kernel);
    let cached = cache(&client);
    hook::set(kernel, |call| {
        if call.function() != Function::Socket {
            return None;
        }
        let (held, status) = call.hold()?;
        *HELD.lock().unwrap() = Some(held);
        Some(status)
    });
    let (operation, events) = (Operation::new(kernel), Socket::events(|_| STATUS_SUCCESS));
    assert_eq!(Socket::start(&client, events, cached, &operation), STATUS_PENDING);
    assert_eq!(release(&client, cached), STATUS_INVALID_PARAMETER);
    let held = HELD.lock().unwrap().take().expect("the call of WskSocket");
    held.pass();
    let socket = Socket::of(kernel, events, &operation);
    assert_eq!(release(&client, cached), STATUS_SUCCESS);
    assert_eq!(socket.close(), STATUS_SUCCESS);
    client.end();
}

fn releasing_a_descriptor_twice(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let cached = cache(&client);
    assert_eq!(release(&client, cached), STATUS_SUCCESS);
    assert_eq!(release(&client, cached), STATUS_INVALID_PARAMETER);
    client.end();
}

fn leaving_a_descriptor(kernel: &HostKernel) {
    let client = Client::new(kernel);
    cache(&client);
    client.end();
}

/// WskGetAddressInfo of a provider that finds one address, always.
fn resolve(client: &Client) -> *mut ADDRINFOEXW {
    hook::set(&client.kernel, |call| match call.arguments {
        Arguments::GetAddressInfo { result, .. } => {
            let found: &'static mut ADDRINFOEXW = Box::leak(Box::new(zeroed()));
            // SAFETY: the client's until the completion.
            unsafe { result.write(found) };
            Some(call.complete(STATUS_SUCCESS, 0))
        }
        Arguments::FreeAddressInfo { .. } => Some(STATUS_SUCCESS),
        _ => None,
    });
    let mut found: *mut ADDRINFOEXW = null_mut();
    let operation = Operation::new(&client.kernel);
    let get = table(client).WskGetAddressInfo.expect("every table has it");
    let (npi, irp) = (client.npi.Client, operation.irp);
    // SAFETY: the result outlives the request.
    let _ = unsafe {
        get(
            npi,
            null_mut(),
            null_mut(),
            0,
            null_mut(),
            null_mut(),
            &raw mut found,
            null_mut(),
            null_mut(),
            irp,
        )
    };
    assert_eq!(operation.wait().0, STATUS_SUCCESS);
    found
}

fn free(client: &Client, list: *mut ADDRINFOEXW) {
    let free = table(client).WskFreeAddressInfo.expect("every table has it");
    // SAFETY: whether it is a list is the program's business.
    unsafe { free(client.npi.Client, list) };
}

fn freeing_a_list_of_ones_own(kernel: &HostKernel) {
    let client = Client::new(kernel);
    free(&client, Box::leak(Box::new(zeroed())));
    client.end();
}

fn freeing_a_list_twice(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let list = resolve(&client);
    free(&client, list);
    free(&client, list);
    client.end();
}

fn leaving_a_list(kernel: &HostKernel) {
    let client = Client::new(kernel);
    assert!(!resolve(&client).is_null());
    client.end();
}

fn resolving_at_dispatch_level(kernel: &HostKernel) {
    let client = Client::new(kernel);
    let list = resolve(&client);
    let irql = kernel.ke_raise_irql_to_dpc_level();
    free(&client, list);
    // SAFETY: what raising returned.
    unsafe { kernel.ke_lower_irql(irql) };
    client.end();
}
