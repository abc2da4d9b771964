//! WskGetAddressInfo, WskFreeAddressInfo and WskGetNameInfo.
//!
//! 1. A call checks and copies its arguments, and lets its IRP wait at the client.
//! 2. A thread of its own asks the host's resolver, at PASSIVE_LEVEL, for as long as that takes.
//! 3. It takes the IRP, writes the results and completes it; or, when the IRP was cancelled meanwhile, throws them away.
//!
//! What the host is asked does not depend on whose behalf it is on: the host knows nothing of a client's processes.

// UNSAFETY: says that what a client lent may be reached from another thread.
#![expect(unsafe_code, reason = "results go where a client's pointers lead")]

mod address_info;
mod list;
mod name_info;
mod text;

pub(crate) use address_info::{AddressInfo, get_address_info};
pub(crate) use list::AddressLists;
pub(crate) use name_info::{NameInfo, get_name_info};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use skua_engine::abi::nt::{PEPROCESS, PETHREAD};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_PENDING,
};

use crate::kernel::registration::{Client, Errand, status_information};
use crate::npi::cancel_waiting;
use crate::request::Request;

/// Where the client wants results.
///
/// # Invariants
/// It is used by whoever has taken the IRP, before that is completed: the client lent it until then.
struct Place<T>(*mut T);

// SAFETY: the client lent what it leads to until its request completes, on whichever thread that is.
unsafe impl<T> Send for Place<T> {}

/// Who may ask on whose behalf: a thread only with its process, and nobody on another's behalf while impersonating.
fn check_owner(client: &Client, process: PEPROCESS, thread: PETHREAD) -> Result<(), NTSTATUS> {
    let is_owned = !process.is_null();
    if !thread.is_null() && !is_owned {
        return Err(STATUS_INVALID_PARAMETER);
    }
    if is_owned && client.kernel.processes().is_impersonating() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    Ok(())
}

/// Completes a request that is refused, with its status in `IoStatus.Information` too.
fn refuse(client: &Client, request: Request, status: NTSTATUS) -> NTSTATUS {
    request.complete(&client.kernel, status, status_information(status))
}

/// Lets `request` wait while a thread asks, and then lets `put` write what was found.
fn begin<T: Send + 'static>(
    client: &Arc<Client>,
    request: Request,
    ask: impl FnOnce() -> Result<T, NTSTATUS> + Send + 'static,
    put: impl FnOnce(&Client, T) -> NTSTATUS + Send + 'static,
) -> NTSTATUS {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let errand = Errand::Resolution(NEXT.fetch_add(1, Ordering::Relaxed));
    let context = Arc::as_ptr(client).cast_mut().cast();
    if let Err(request) = client.keep_waiting(request, errand, Some(cancel_waiting), context) {
        return refuse(client, request, STATUS_CANCELLED);
    }
    let asker = Arc::clone(client);
    let thread = std::thread::Builder::new().name("resolve".into()).spawn(move || {
        let found = ask();
        // None when it was cancelled: what it led to may be gone.
        let Some(taken) = asker.take_waiting(errand) else { return };
        let status = found.map_or_else(|status| status, |found| put(&asker, found));
        taken.complete(status);
    });
    if thread.is_err()
        && let Some(taken) = client.take_waiting(errand)
    {
        taken.complete(STATUS_INSUFFICIENT_RESOURCES);
    }
    STATUS_PENDING
}
