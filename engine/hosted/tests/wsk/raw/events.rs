//! The events of sockets over TCP: they do what a test says and note what they saw.

use std::ffi::c_void;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use skua_engine::Kernel;
use skua_engine::abi::nt::mm_get_mapped_system_address;
use skua_engine::abi::sockaddr::{PSOCKADDR, SOCKADDR_INET};
use skua_engine::abi::status::{NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH, WSK_DATA_INDICATION, WSK_INSPECT_ACTION,
    WSK_INSPECT_ID, WSK_SOCKET, WskInspectAccept, WskInspectReject,
};
use skua_hosted::HostKernel;

use super::stream::Stream;

pub(crate) static LISTEN: WSK_CLIENT_LISTEN_DISPATCH = WSK_CLIENT_LISTEN_DISPATCH {
    WskAcceptEvent: Some(accept),
    WskInspectEvent: Some(inspect),
    WskAbortEvent: Some(abort),
};

pub(crate) static CONNECTION: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: Some(receive),
    WskDisconnectEvent: Some(disconnect),
    WskSendBacklogEvent: Some(backlog),
};

/// What the receive event does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Take {
    #[default]
    All,
    /// At most so many bytes of each indication.
    Some(usize),
    Retain,
    Nothing,
}

/// What the events of one socket saw.
pub(crate) struct Tape {
    kernel: HostKernel,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    take: Take,
    action: Option<WSK_INSPECT_ACTION>,
    /// The receive event waits while this is set.
    pub(crate) blocked: bool,
    pub(crate) inside: usize,
    /// All bytes that were accepted or retained.
    pub(crate) data: Vec<u8>,
    /// Bytes indicated by each call.
    pub(crate) indications: Vec<usize>,
    pub(crate) flags: Vec<u32>,
    pub(crate) irqls: Vec<u8>,
    pub(crate) retained: Vec<usize>,
    pub(crate) deaths: usize,
    pub(crate) disconnects: Vec<u32>,
    pub(crate) backlogs: Vec<usize>,
    accepted: Vec<(usize, Arc<Tape>)>,
    pub(crate) inspected: Vec<(WSK_INSPECT_ID, SocketAddr)>,
    pub(crate) aborted: Vec<WSK_INSPECT_ID>,
}

impl Tape {
    pub(crate) fn new(kernel: &HostKernel) -> Arc<Self> {
        Arc::new(Self { kernel: kernel.clone(), state: Mutex::default(), changed: Condvar::new() })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn take(&self, take: Take) {
        self.state().take = take;
    }

    pub(crate) fn answer_inspections(&self, action: WSK_INSPECT_ACTION) {
        self.state().action = Some(action);
    }

    pub(crate) fn block(&self, blocked: bool) {
        self.state().blocked = blocked;
        self.changed.notify_all();
    }

    /// Waits until `condition` holds of what was seen.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, condition: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + super::LIMIT;
        let mut state = self.state();
        while !condition(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what}: {} indications", state.indications.len());
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until so many bytes were taken, and returns all of them.
    #[track_caller]
    pub(crate) fn wait_for_data(&self, bytes: usize) -> Vec<u8> {
        self.wait("data did not come", |state| state.data.len() >= bytes);
        self.state().data.clone()
    }

    /// The oldest socket that the accept event was given.
    #[track_caller]
    pub(crate) fn accepted(&self) -> Stream {
        self.wait("nothing was accepted", |state| !state.accepted.is_empty());
        let (socket, tape) = self.state().accepted.remove(0);
        Stream::of(&self.kernel, std::ptr::with_exposed_provenance_mut(socket), tape)
    }

    pub(crate) fn accepted_count(&self) -> usize {
        self.state().accepted.len()
    }

    /// Nothing new is indicated within a moment.
    pub(crate) fn is_quiet(&self) -> bool {
        let before = self.state().indications.len();
        std::thread::sleep(std::time::Duration::from_millis(30));
        self.state().indications.len() == before
    }
}

/// # Safety
/// `context` is that of a socket: its tape, which outlives it.
unsafe fn tape<'a>(context: *mut c_void) -> &'a Tape {
    // SAFETY: the caller's promise.
    unsafe { &*context.cast::<Tape>() }
}

unsafe extern "C" fn receive(
    context: *mut c_void,
    flags: u32,
    list: *mut WSK_DATA_INDICATION,
    indicated: usize,
    accepted: *mut usize,
) -> NTSTATUS {
    // SAFETY: called with the socket's context.
    let tape = unsafe { tape(context) };
    let mut state = tape.state();
    state.inside += 1;
    tape.changed.notify_all();
    while state.blocked {
        state = tape.changed.wait(state).unwrap();
    }
    state.inside -= 1;
    state.flags.push(flags);
    state.irqls.push(tape.kernel.ke_get_current_irql());
    if list.is_null() {
        state.deaths += 1;
        tape.changed.notify_all();
        return STATUS_SUCCESS;
    }
    // SAFETY: lent to this callback.
    let data = unsafe { read(list) };
    assert_eq!(data.len(), indicated, "the list holds what is indicated");
    state.indications.push(indicated);
    let (status, taken) = match state.take {
        Take::All => (STATUS_SUCCESS, indicated),
        Take::Some(bytes) => {
            let bytes = bytes.min(indicated);
            // SAFETY: the provider's out parameter.
            unsafe { accepted.write(bytes) };
            (STATUS_SUCCESS, bytes)
        }
        Take::Retain => {
            let mut node = list;
            while !node.is_null() {
                state.retained.push(node.expose_provenance());
                // SAFETY: lent.
                node = unsafe { (*node).Next };
            }
            (STATUS_PENDING, indicated)
        }
        Take::Nothing => (STATUS_DATA_NOT_ACCEPTED, 0),
    };
    state.data.extend_from_slice(&data[..taken]);
    tape.changed.notify_all();
    status
}

/// The bytes of a list.
///
/// # Safety
/// The list is lent to the caller.
pub(crate) unsafe fn read(list: *mut WSK_DATA_INDICATION) -> Vec<u8> {
    let mut data = Vec::new();
    let mut node = list;
    while !node.is_null() {
        // SAFETY: lent to the caller.
        let indication = unsafe { *node };
        let (mut mdl, mut offset) = (indication.Buffer.Mdl, indication.Buffer.Offset as usize);
        let mut left = indication.Buffer.Length;
        while left > 0 {
            // SAFETY: the chain describes at least the length.
            let header = unsafe { *mdl };
            // SAFETY: as above.
            let at = unsafe { mm_get_mapped_system_address(mdl) }.cast::<u8>();
            let bytes = (header.ByteCount as usize - offset).min(left);
            // SAFETY: within the described range.
            data.extend_from_slice(unsafe { std::slice::from_raw_parts(at.wrapping_add(offset), bytes) });
            left -= bytes;
            offset = 0;
            mdl = header.Next;
        }
        node = indication.Next;
    }
    data
}

unsafe extern "C" fn disconnect(context: *mut c_void, flags: u32) -> NTSTATUS {
    // SAFETY: called with the socket's context.
    let tape = unsafe { tape(context) };
    tape.state().disconnects.push(flags);
    tape.changed.notify_all();
    STATUS_SUCCESS
}

unsafe extern "C" fn backlog(context: *mut c_void, size: usize) -> NTSTATUS {
    // SAFETY: called with the socket's context.
    let tape = unsafe { tape(context) };
    tape.state().backlogs.push(size);
    tape.changed.notify_all();
    STATUS_SUCCESS
}

unsafe extern "C" fn accept(
    context: *mut c_void,
    _flags: u32,
    _local: PSOCKADDR,
    _remote: PSOCKADDR,
    socket: *mut WSK_SOCKET,
    accepted_context: *mut *mut c_void,
    accepted_table: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS {
    // SAFETY: called with the socket's context.
    let tape = unsafe { tape(context) };
    let mut state = tape.state();
    state.irqls.push(tape.kernel.ke_get_current_irql());
    if socket.is_null() {
        state.deaths += 1;
        tape.changed.notify_all();
        return STATUS_SUCCESS;
    }
    tape.changed.notify_all();
    let own = Tape::new(&tape.kernel);
    // SAFETY: the provider's out parameters; the tape is kept as long as this one.
    unsafe { accepted_context.write(Arc::as_ptr(&own).cast_mut().cast()) };
    // SAFETY: as above.
    unsafe { accepted_table.write(&raw const CONNECTION) };
    state.accepted.push((socket.expose_provenance(), own));
    STATUS_SUCCESS
}

unsafe extern "C" fn inspect(
    context: *mut c_void,
    _local: PSOCKADDR,
    remote: PSOCKADDR,
    id: *mut WSK_INSPECT_ID,
) -> WSK_INSPECT_ACTION {
    // SAFETY: called with the socket's context.
    let tape = unsafe { tape(context) };
    let mut state = tape.state();
    if id.is_null() {
        state.deaths += 1;
        tape.changed.notify_all();
        return WskInspectReject;
    }
    // SAFETY: an address of the family it names, during the call.
    let remote = unsafe { SOCKADDR_INET::read(remote) }.unwrap().to_socket_addr().unwrap();
    // SAFETY: readable during the call.
    state.inspected.push((unsafe { *id }, remote));
    tape.changed.notify_all();
    state.action.unwrap_or(WskInspectAccept)
}

unsafe extern "C" fn abort(context: *mut c_void, id: *mut WSK_INSPECT_ID) -> NTSTATUS {
    // SAFETY: called with the socket's context.
    let tape = unsafe { tape(context) };
    // SAFETY: readable during the call.
    tape.state().aborted.push(unsafe { *id });
    tape.changed.notify_all();
    STATUS_SUCCESS
}
