//! Requests that the provider neither ends nor lets be cancelled, at every step of opening a socket.
//!
//! The provider is given tables in which one function takes a request and sits on it until the test lets go. The tables
//! are static, as WSK's are, so one scenario at a time runs.

// UNSAFETY: stands between two parties that speak C.
#![expect(unsafe_code, reason = "keeps IRPs and buffers beyond the call that brought them")]

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use skua_engine::abi::nt::{
    IRP, PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR, io_mark_irp_pending, io_set_next_irp_stack_location,
};
use skua_engine::abi::sockaddr::SOCKADDR;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_IO_TIMEOUT, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    WSK_CLIENT, WSK_CONTROL_SOCKET_TYPE, WSK_PROVIDER_BASIC_DISPATCH, WSK_PROVIDER_DATAGRAM_DISPATCH,
    WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_SOCKET,
};
use skua_engine::{
    Config, DatagramSocket, Engine, Events, Kernel, Membership, MembershipError, OpenSocketError, OpenStep,
    Outstanding, Passive, Provider, Registration,
};
use skua_hosted::{HostConfig, HostKernel, ProviderConfig};

use crate::fixture::{PATIENCE, Policy, Recorder, told};
use crate::membership::loopback_index;

/// Which function sits on its next request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Function {
    Socket,
    Control,
    Bind,
    LocalAddress,
}

#[derive(Default)]
struct State {
    sits: Option<Function>,
    held: Option<Held>,
    provider: Option<&'static WSK_PROVIDER_DISPATCH>,
    socket: Option<&'static WSK_PROVIDER_DATAGRAM_DISPATCH>,
}

/// A request that is sat on.
struct Held {
    irp: *mut IRP,
    /// What the request reads or writes, and how many bytes that has.
    data: (*mut c_void, usize),
    /// Makes the socket, if the request is WskSocket.
    create: Option<Box<dyn FnOnce() -> NTSTATUS>>,
}

// SAFETY: what a request refers to is the provider's, whichever thread of it looks, until the request is completed.
unsafe impl Send for Held {}

static STATE: Mutex<State> = Mutex::new(State { sits: None, held: None, provider: None, socket: None });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the request if this is the function that sits on it.
fn take(function: Function, held: impl FnOnce() -> Held) -> bool {
    let mut state = state();
    let sits = state.sits == Some(function);
    if sits {
        state.sits = None;
        let held = held();
        if held.create.is_none() {
            // SAFETY: the client handed it over, with one location free.
            unsafe { io_set_next_irp_stack_location(held.irp) };
            // SAFETY: in that location now.
            unsafe { io_mark_irp_pending(held.irp) };
        }
        state.held = Some(held);
    }
    sits
}

fn real() -> &'static WSK_PROVIDER_DATAGRAM_DISPATCH {
    state().socket.expect("a socket was created")
}

unsafe extern "C" fn socket(
    client: *mut WSK_CLIENT,
    family: u16,
    kind: u16,
    protocol: u32,
    flags: u32,
    context: *mut c_void,
    dispatch: *const c_void,
    process: PEPROCESS,
    thread: PETHREAD,
    descriptor: PSECURITY_DESCRIPTOR,
    irp: *mut IRP,
) -> NTSTATUS {
    let create = state().provider.and_then(|table| table.WskSocket).unwrap();
    let create = move || {
        // SAFETY: forwarded.
        let status = unsafe {
            create(client, family, kind, protocol, flags, context, dispatch, process, thread, descriptor, irp)
        };
        if status == STATUS_SUCCESS {
            // SAFETY: completed inline, so the status block is filled and the IRP is not reused before this returns.
            let socket = unsafe { (*irp).IoStatus.Information } as *mut WSK_SOCKET;
            // SAFETY: created just now.
            let table = unsafe { (*socket).Dispatch };
            // SAFETY: a datagram socket's table.
            state().socket = Some(unsafe { &*table.cast() });
            // SAFETY: nobody uses the socket before its creator has it.
            unsafe { (*socket).Dispatch = (&raw const SOCKET).cast() };
        }
        status
    };
    let held = |create| Held { irp, data: (null_mut(), 0), create: Some(Box::new(create)) };
    if take(Function::Socket, || held(create)) { STATUS_PENDING } else { create() }
}

static SOCKET: WSK_PROVIDER_DATAGRAM_DISPATCH = WSK_PROVIDER_DATAGRAM_DISPATCH {
    Basic: WSK_PROVIDER_BASIC_DISPATCH { WskControlSocket: Some(control), WskCloseSocket: Some(close) },
    WskBind: Some(bind),
    WskSendTo: None,
    WskReceiveFrom: None,
    WskRelease: None,
    WskGetLocalAddress: Some(local_address),
    WskSendMessages: None,
};

unsafe extern "C" fn control(
    socket: *mut WSK_SOCKET,
    kind: WSK_CONTROL_SOCKET_TYPE,
    code: u32,
    level: u32,
    input_size: usize,
    input: *mut c_void,
    output_size: usize,
    output: *mut c_void,
    returned: *mut usize,
    irp: *mut IRP,
) -> NTSTATUS {
    if take(Function::Control, || Held { irp, data: (input, input_size), create: None }) {
        return STATUS_PENDING;
    }
    let call = real().Basic.WskControlSocket.unwrap();
    // SAFETY: forwarded.
    unsafe { call(socket, kind, code, level, input_size, input, output_size, output, returned, irp) }
}

unsafe extern "C" fn close(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: forwarded.
    unsafe { real().Basic.WskCloseSocket.unwrap()(socket, irp) }
}

unsafe extern "C" fn bind(
    socket: *mut WSK_SOCKET,
    local: *mut SOCKADDR,
    flags: u32,
    irp: *mut IRP,
) -> NTSTATUS {
    if take(Function::Bind, || Held { irp, data: (local.cast(), 16), create: None }) {
        return STATUS_PENDING;
    }
    // SAFETY: forwarded.
    unsafe { real().WskBind.unwrap()(socket, local, flags, irp) }
}

unsafe extern "C" fn local_address(socket: *mut WSK_SOCKET, local: *mut SOCKADDR, irp: *mut IRP) -> NTSTATUS {
    if take(Function::LocalAddress, || Held { irp, data: (local.cast(), 16), create: None }) {
        return STATUS_PENDING;
    }
    // SAFETY: forwarded.
    unsafe { real().WskGetLocalAddress.unwrap()(socket, local, irp) }
}

/// For [`ProviderConfig::interpose`].
fn sitting(npi: &mut WSK_PROVIDER_NPI) {
    static TABLE: std::sync::OnceLock<WSK_PROVIDER_DISPATCH> = std::sync::OnceLock::new();
    // SAFETY: the provider's table is constant.
    let table: &'static WSK_PROVIDER_DISPATCH = unsafe { &*npi.Dispatch };
    state().provider = Some(table);
    npi.Dispatch = TABLE.get_or_init(|| WSK_PROVIDER_DISPATCH { WskSocket: Some(socket), ..*table });
}

impl Held {
    /// Ends the request: uses its data, whose requester gave up long ago, and completes it.
    fn end(self, kernel: &HostKernel, status: NTSTATUS) {
        // SAFETY: the request is not completed.
        assert!(unsafe { (*self.irp).Cancel } != 0, "it was cancelled before it was given up");
        if let Some(create) = self.create {
            assert_eq!(create(), STATUS_SUCCESS);
            return;
        }
        let (data, bytes) = self.data;
        // SAFETY: the request's own data, until it is completed.
        unsafe { data.cast::<u8>().write_bytes(0xa5, bytes) };
        // SAFETY: the request is not completed.
        unsafe { (*self.irp).IoStatus.Status = status };
        // SAFETY: handed over by the client, and completed once.
        unsafe { kernel.io_complete_request(self.irp, 0) };
    }
}

type Handle = DatagramSocket<HostKernel, Recorder<HostKernel>>;

/// A client of a provider that sits on requests.
struct Bench {
    kernel: HostKernel,
    registration: Registration<HostKernel>,
    provider: Provider<HostKernel>,
    engine: Engine<HostKernel, Recorder<HostKernel>>,
    _one_at_a_time: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        *state() = State::default();
        let provider = ProviderConfig { interpose: Some(sitting), ..ProviderConfig::default() };
        let kernel = HostKernel::new(HostConfig { provider, ..HostConfig::default() });
        let (registration, provider, engine) = {
            let passive = Passive::acquire(&kernel).unwrap();
            let registration = Registration::register(kernel.clone(), Events::Static, &passive).unwrap();
            let provider = registration.capture(PATIENCE, &passive).unwrap();
            let (recorder, _ends) = Recorder::new(Policy::Consume);
            let engine = Engine::open(kernel.clone(), recorder, &Config::default(), &passive).unwrap();
            (registration, provider, engine)
        };
        // A patience of 10 s and 1 s becomes one of 20 ms and 2 ms.
        kernel.shorten_waits(500);
        Self { kernel, registration, provider, engine, _one_at_a_time: one }
    }

    fn open(&self) -> Result<Handle, OpenSocketError> {
        let passive = Passive::acquire(&self.kernel).unwrap();
        self.engine.open_socket(&self.provider, &told("127.0.0.1:0"), &passive)
    }

    /// Leaves while `held` is out, in vain, then ends it, and leaves with nothing behind.
    fn leave(self, held: Held, status: NTSTATUS) {
        let Self { kernel, mut registration, provider, engine, _one_at_a_time } = self;
        drop(engine);
        let passive = Passive::acquire(&kernel).unwrap();
        let outstanding = registration.reap(&passive).unwrap();
        let Outstanding { inside, sends, request, .. } = outstanding;
        assert_eq!((inside, sends, request), (0, 0, true), "{outstanding}");
        held.end(&kernel, status);
        drop(provider);
        kernel.shorten_waits(1);
        registration.close(PATIENCE, &passive).unwrap();
        let outstanding = kernel.outstanding();
        assert!(outstanding.is_empty(), "{outstanding:?}");
    }
}

#[test]
fn a_request_of_opening_that_does_not_end_is_given_up_and_waited_for_by_the_close() {
    for (function, expected) in [
        (Function::Socket, OpenStep::Socket),
        // The first option; later requests find the IRP out.
        (Function::Control, OpenStep::Options),
        (Function::Bind, OpenStep::Bind),
        (Function::LocalAddress, OpenStep::LocalAddress),
    ] {
        let bench = Bench::new();
        state().sits = Some(function);
        match bench.open().err() {
            Some(OpenSocketError::Refused { step, status, .. }) => {
                assert_eq!((step, status), (expected, STATUS_IO_TIMEOUT));
            }
            other => panic!("{function:?}: {other:?}"),
        }
        let held = state().held.take().expect("a request");
        // The provider cancels what is pending when the socket closes.
        bench.leave(held, STATUS_CANCELLED);
    }
}

#[test]
fn a_membership_that_does_not_end_leaves_the_socket_usable_once_it_has() {
    let bench = Bench::new();
    let mut socket = bench.open().unwrap();
    let kernel = bench.kernel.clone();
    let probe = crate::fixture::Client::new(HostConfig::default());
    let interface = loopback_index(&probe);
    probe.finish();
    let membership = Membership { group: "239.255.7.11".parse().unwrap(), interface, source: None };
    let passive = Passive::acquire(&kernel).unwrap();
    state().sits = Some(Function::Control);
    let given_up = MembershipError::Refused { group: membership.group, interface, status: STATUS_IO_TIMEOUT };
    assert_eq!(socket.join(&membership, &passive), Err(given_up));
    let held = state().held.take().expect("a request");
    assert_eq!(socket.join(&membership, &passive), Err(given_up), "the one before is still out");
    held.end(&kernel, STATUS_CANCELLED);
    socket.join(&membership, &passive).unwrap();

    // And one that never ends is the close's to wait for.
    state().sits = Some(Function::Control);
    assert_eq!(socket.leave(&membership, &passive), Err(given_up));
    let held = state().held.take().expect("a request");
    let error = socket.close(Duration::from_millis(50), &passive).unwrap_err();
    assert!(error.outstanding.request, "{error}");
    bench.leave(held, STATUS_CANCELLED);
}
