//! A receive event that does what a test says and notes what it saw.

use std::ffi::c_void;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use skua_engine::Kernel;
use skua_engine::abi::cmsg::{CMSGHDR, wsa_cmsg_align};
use skua_engine::abi::nt::mm_get_mapped_system_address;
use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_DATAGRAM_DISPATCH, WSK_DATAGRAM_INDICATION, WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_SOCKET,
};
use skua_hosted::HostKernel;

pub(crate) static DISPATCH: WSK_CLIENT_DATAGRAM_DISPATCH =
    WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(receive_from) };

/// One control message: level, type, payload.
pub(crate) type Message = (i32, i32, Vec<u8>);

/// What a callback saw of one indication.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) payload: Vec<u8>,
    pub(crate) source: SocketAddr,
    pub(crate) control: Vec<Message>,
    pub(crate) flags: u32,
    pub(crate) has_mdl: bool,
    /// The addresses of the first MDL's range.
    pub(crate) first_byte: usize,
    /// The list that it came in, and its place in it.
    pub(crate) list: usize,
    pub(crate) irql: u8,
    pub(crate) processor: u32,
}

/// What the callback does with a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answer {
    #[default]
    Success,
    /// Keeps the list and returns PENDING.
    Pending,
    /// Releases every node inside the callback and returns PENDING.
    ReleaseAndPend,
    NotAccepted,
}

#[derive(Default)]
pub(crate) struct Recorder {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    kernel: Option<HostKernel>,
    socket: usize,
    answer: Answer,
    datagrams: Vec<Datagram>,
    retained: Vec<usize>,
    lists: usize,
    deaths: usize,
    calls: usize,
    inside: usize,
    /// Callbacks wait here while it is true.
    blocked: bool,
}

impl Recorder {
    pub(crate) fn attach(&self, kernel: &HostKernel, socket: *mut WSK_SOCKET) {
        let mut state = self.state.lock().unwrap();
        state.kernel = Some(kernel.clone());
        state.socket = socket.expose_provenance();
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    pub(crate) fn block(&self, blocked: bool) {
        self.state.lock().unwrap().blocked = blocked;
        self.changed.notify_all();
    }

    pub(crate) fn datagrams(&self) -> Vec<Datagram> {
        self.state.lock().unwrap().datagrams.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().datagrams.len()
    }

    pub(crate) fn calls(&self) -> usize {
        self.state.lock().unwrap().calls
    }

    pub(crate) fn deaths(&self) -> usize {
        self.state.lock().unwrap().deaths
    }

    pub(crate) fn inside(&self) -> usize {
        self.state.lock().unwrap().inside
    }

    /// Takes the retained indications, for the test to release.
    pub(crate) fn take_retained(&self) -> Vec<*mut WSK_DATAGRAM_INDICATION> {
        let taken = std::mem::take(&mut self.state.lock().unwrap().retained);
        taken.into_iter().map(std::ptr::with_exposed_provenance_mut).collect()
    }

    /// Waits until `condition` holds of what was seen.
    #[track_caller]
    fn wait(&self, what: &str, condition: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + super::LIMIT;
        let mut state = self.state.lock().unwrap();
        while !condition(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what}: {} datagrams, {} calls", state.datagrams.len(), state.calls);
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        self.wait("datagrams did not come", |state| state.datagrams.len() >= count);
    }

    #[track_caller]
    pub(crate) fn wait_for_calls(&self, count: usize) {
        self.wait("calls did not come", |state| state.calls >= count);
    }

    #[track_caller]
    pub(crate) fn wait_until_inside(&self) {
        self.wait("nobody is inside the callback", |state| state.inside > 0);
    }

    /// Nothing new within a moment.
    pub(crate) fn is_quiet(&self, count: usize) -> bool {
        std::thread::sleep(Duration::from_millis(30));
        self.count() == count
    }
}

unsafe extern "C" fn receive_from(
    context: *mut c_void,
    flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the context is the socket's recorder, which outlives it.
    let recorder = unsafe { &*context.cast::<Recorder>() };
    let mut state = recorder.state.lock().unwrap();
    state.calls += 1;
    state.inside += 1;
    recorder.changed.notify_all();
    while state.blocked {
        state = recorder.changed.wait(state).unwrap();
    }
    let kernel = state.kernel.clone().unwrap();
    if list.is_null() {
        state.deaths += 1;
        state.inside -= 1;
        recorder.changed.notify_all();
        return STATUS_SUCCESS;
    }
    let answer = state.answer;
    let mut nodes = Vec::new();
    let mut node = list;
    while !node.is_null() {
        nodes.push(node);
        // SAFETY: lent to this callback.
        node = unsafe { (*node).Next };
    }
    if answer != Answer::NotAccepted {
        let list = state.lists;
        state.lists += 1;
        for node in &nodes {
            // SAFETY: lent to this callback.
            let datagram = unsafe { read(&kernel, *node, flags, list) };
            state.datagrams.push(datagram);
        }
    }
    if answer == Answer::Pending {
        state.retained.extend(nodes.iter().map(|node| node.expose_provenance()));
    }
    let socket: *mut WSK_SOCKET = std::ptr::with_exposed_provenance_mut(state.socket);
    state.inside -= 1;
    drop(state);
    if answer == Answer::ReleaseAndPend {
        for node in nodes {
            // SAFETY: lent; unlinked before it is released alone.
            unsafe { (*node).Next = std::ptr::null_mut() };
            // SAFETY: a live datagram socket.
            let table: &WSK_PROVIDER_DATAGRAM_DISPATCH = unsafe { super::socket::table_of(socket) };
            // SAFETY: released once.
            assert_eq!(unsafe { table.WskRelease.unwrap()(socket, node) }, STATUS_SUCCESS);
        }
    }
    recorder.changed.notify_all();
    match answer {
        Answer::Success => STATUS_SUCCESS,
        Answer::Pending | Answer::ReleaseAndPend => STATUS_PENDING,
        Answer::NotAccepted => STATUS_DATA_NOT_ACCEPTED,
    }
}

/// # Safety
/// `node` is lent to the caller.
pub(crate) unsafe fn read(
    kernel: &HostKernel,
    node: *mut WSK_DATAGRAM_INDICATION,
    flags: u32,
    list: usize,
) -> Datagram {
    // SAFETY: lent to the caller.
    let indication = unsafe { *node };
    // SAFETY: an address of the family it names.
    let source = unsafe { SOCKADDR_INET::read(indication.RemoteAddress) }.unwrap().to_socket_addr().unwrap();
    let mut payload = Vec::new();
    let mut mdl = indication.Buffer.Mdl;
    let mut offset = indication.Buffer.Offset as usize;
    let mut left = indication.Buffer.Length;
    let mut first_byte = 0;
    while left > 0 {
        // SAFETY: the chain describes at least the length.
        let header = unsafe { *mdl };
        // SAFETY: as above.
        let at = unsafe { mm_get_mapped_system_address(mdl) }.cast::<u8>();
        if first_byte == 0 {
            first_byte = at.addr();
        }
        let bytes = (header.ByteCount as usize - offset).min(left);
        // SAFETY: within the described range.
        payload.extend_from_slice(unsafe { std::slice::from_raw_parts(at.wrapping_add(offset), bytes) });
        left -= bytes;
        offset = 0;
        mdl = header.Next;
    }
    // SAFETY: the control area of this indication.
    let control = unsafe { messages(indication.ControlInfo, indication.ControlInfoLength as usize) };
    Datagram {
        payload,
        source,
        control,
        flags,
        has_mdl: !indication.Buffer.Mdl.is_null(),
        first_byte,
        list,
        irql: kernel.ke_get_current_irql(),
        processor: kernel.ke_get_current_processor_index(),
    }
}

/// # Safety
/// `control` is readable for `length` bytes.
pub(crate) unsafe fn messages(control: *const CMSGHDR, length: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut at = 0;
    while at < length {
        let message = control.wrapping_byte_add(at);
        // SAFETY: a message begins here.
        let header = unsafe { message.read() };
        assert!(header.cmsg_len >= 16 && at + header.cmsg_len <= length, "{header:?} at {at} of {length}");
        let data = message.wrapping_add(1).cast::<u8>();
        // SAFETY: the payload of this message.
        let payload = unsafe { std::slice::from_raw_parts(data, header.cmsg_len - 16) };
        messages.push((header.cmsg_level, header.cmsg_type, payload.to_vec()));
        at += wsa_cmsg_align(header.cmsg_len);
    }
    messages
}
