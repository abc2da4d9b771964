//! A provider that can be watched: something happens at the nth call, completion or callback.
//!
//! [`watched`] hands clients a copy of the provider's tables in which every function first does what it did and then
//! reports. Completion routines and the receive event are wrapped in the same way. The tables are static, as WSK's are,
//! so one scenario at a time is watched.

// UNSAFETY: stands between two parties that speak C.
#![expect(unsafe_code, reason = "forwards every call with the arguments it came with")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, IRP, PEPROCESS, PETHREAD, PSECURITY_DESCRIPTOR, io_get_next_irp_stack_location,
};
use skua_engine::abi::sockaddr::SOCKADDR;
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_BUF, WSK_BUF_LIST, WSK_CLIENT, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_CONTROL_SOCKET_TYPE,
    WSK_DATAGRAM_INDICATION, WSK_PROVIDER_BASIC_DISPATCH, WSK_PROVIDER_DATAGRAM_DISPATCH,
    WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NPI, WSK_SOCKET,
};

/// How long a point waits, once it has fired, for the other side to act on it.
const PAUSE: Duration = Duration::from_millis(2);

/// Everything a run reports.
pub(crate) const NAMES: [&str; 11] = [
    "WskCaptureProviderNPI",
    "WskSocket",
    "WskControlSocket",
    "WskBind",
    "WskGetLocalAddress",
    "WskReceiveFromEvent",
    "WskRelease",
    "WskSendTo",
    "WskSendMessages",
    "WskCloseSocket",
    "completion",
];

/// Counts the points of one name in one run, and fires at one of them. By name, because threads pass points of different
/// names in any order.
#[derive(Default)]
pub(crate) struct Points {
    name: &'static str,
    passed: AtomicU64,
    fire_at: u64,
    fired: AtomicBool,
    /// Set by the scenario once it acts on the firing.
    acting: AtomicBool,
}

impl Points {
    /// Begins a run that fires at the `fire_at`th point called `name`, the first being 1.
    pub(crate) fn begin(name: &'static str, fire_at: u64) -> Arc<Self> {
        let points = Arc::new(Self { name, fire_at, ..Self::default() });
        *current() = Some(Arc::clone(&points));
        points
    }

    pub(crate) fn has_fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }

    /// The scenario acts on the firing now.
    pub(crate) fn act(&self) {
        self.acting.store(true, Ordering::Release);
    }

    fn pass(&self, name: &'static str) {
        if name != self.name {
            return;
        }
        if self.passed.fetch_add(1, Ordering::AcqRel) + 1 != self.fire_at {
            return;
        }
        self.fired.store(true, Ordering::Release);
        let until = Instant::now() + PAUSE;
        while !self.acting.load(Ordering::Acquire) && Instant::now() < until {
            std::thread::yield_now();
        }
        std::thread::sleep(PAUSE / 8);
    }
}

fn current() -> MutexGuard<'static, Option<Arc<Points>>> {
    static CURRENT: Mutex<Option<Arc<Points>>> = Mutex::new(None);
    CURRENT.lock().unwrap()
}

fn pass(name: &'static str) {
    let points = current().clone();
    if let Some(points) = points {
        points.pass(name);
    }
}

/// What the provider's and the client's tables really hold.
#[derive(Default)]
struct Real {
    provider: Option<&'static WSK_PROVIDER_DISPATCH>,
    socket: Option<&'static WSK_PROVIDER_DATAGRAM_DISPATCH>,
    client: Option<&'static WSK_CLIENT_DATAGRAM_DISPATCH>,
}

static REAL: Mutex<Real> = Mutex::new(Real { provider: None, socket: None, client: None });

fn real_socket() -> &'static WSK_PROVIDER_DATAGRAM_DISPATCH {
    REAL.lock().unwrap().socket.expect("a socket was created")
}

/// The completion routines that stand behind the watching one, by IRP.
static ROUTINES: LazyLock<Mutex<HashMap<usize, (usize, usize)>>> = LazyLock::new(Mutex::default);

type Routine = unsafe extern "C" fn(*mut DEVICE_OBJECT, *mut IRP, *mut c_void) -> NTSTATUS;

/// Puts the watching routine before the one that the client set.
unsafe fn watch(irp: *mut IRP) {
    // SAFETY: the client set a completion routine in the next location just before the call.
    let location = unsafe { io_get_next_irp_stack_location(irp) };
    // SAFETY: as above.
    let routine = unsafe { (*location).CompletionRoutine }.expect("a completion routine");
    // SAFETY: as above.
    let context = unsafe { (*location).Context };
    ROUTINES.lock().unwrap().insert(irp as usize, (routine as usize, context as usize));
    // SAFETY: as above.
    unsafe { (*location).CompletionRoutine = Some(completed) };
}

unsafe extern "C" fn completed(device: *mut DEVICE_OBJECT, irp: *mut IRP, _: *mut c_void) -> NTSTATUS {
    let (routine, context) = ROUTINES.lock().unwrap().remove(&(irp as usize)).expect("completed once");
    // SAFETY: put there by `watch`.
    let routine = unsafe { std::mem::transmute::<usize, Routine>(routine) };
    // SAFETY: the client's own routine and context.
    let status = unsafe { routine(device, irp, context as *mut c_void) };
    pass("completion");
    status
}

unsafe extern "C" fn receive_from_event(
    context: *mut c_void,
    flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    let event = REAL.lock().unwrap().client.and_then(|table| table.WskReceiveFromEvent).unwrap();
    // SAFETY: forwarded.
    let status = unsafe { event(context, flags, list) };
    pass("WskReceiveFromEvent");
    status
}

static CLIENT: WSK_CLIENT_DATAGRAM_DISPATCH =
    WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(receive_from_event) };

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
    let create = {
        let mut real = REAL.lock().unwrap();
        // SAFETY: a datagram socket's client table, which is constant.
        real.client = Some(unsafe { &*dispatch.cast() });
        real.provider.and_then(|table| table.WskSocket).unwrap()
    };
    let table = (&raw const CLIENT).cast();
    // SAFETY: forwarded.
    let status = unsafe {
        create(client, family, kind, protocol, flags, context, table, process, thread, descriptor, irp)
    };
    if status == STATUS_SUCCESS {
        // SAFETY: completed inline, so the status block is filled and the IRP is not reused before this returns.
        let socket = unsafe { (*irp).IoStatus.Information } as *mut WSK_SOCKET;
        // SAFETY: created just now.
        let table = unsafe { (*socket).Dispatch };
        // SAFETY: a datagram socket's table.
        REAL.lock().unwrap().socket = Some(unsafe { &*table.cast() });
        // SAFETY: nobody uses the socket before its creator has it.
        unsafe { (*socket).Dispatch = (&raw const SOCKET).cast() };
    }
    pass("WskSocket");
    status
}

static SOCKET: WSK_PROVIDER_DATAGRAM_DISPATCH = WSK_PROVIDER_DATAGRAM_DISPATCH {
    Basic: WSK_PROVIDER_BASIC_DISPATCH { WskControlSocket: Some(control), WskCloseSocket: Some(close) },
    WskBind: Some(bind),
    WskSendTo: Some(send_to),
    WskReceiveFrom: None,
    WskRelease: Some(release),
    WskGetLocalAddress: Some(local_address),
    WskSendMessages: Some(send_messages),
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
    if !irp.is_null() {
        // SAFETY: the client's IRP.
        unsafe { watch(irp) };
    }
    let call = real_socket().Basic.WskControlSocket.unwrap();
    // SAFETY: forwarded.
    let status =
        unsafe { call(socket, kind, code, level, input_size, input, output_size, output, returned, irp) };
    pass("WskControlSocket");
    status
}

unsafe extern "C" fn close(socket: *mut WSK_SOCKET, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the client's IRP.
    unsafe { watch(irp) };
    // SAFETY: forwarded.
    let status = unsafe { real_socket().Basic.WskCloseSocket.unwrap()(socket, irp) };
    pass("WskCloseSocket");
    status
}

unsafe extern "C" fn bind(
    socket: *mut WSK_SOCKET,
    local: *mut SOCKADDR,
    flags: u32,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's IRP.
    unsafe { watch(irp) };
    // SAFETY: forwarded.
    let status = unsafe { real_socket().WskBind.unwrap()(socket, local, flags, irp) };
    pass("WskBind");
    status
}

unsafe extern "C" fn local_address(socket: *mut WSK_SOCKET, local: *mut SOCKADDR, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the client's IRP.
    unsafe { watch(irp) };
    // SAFETY: forwarded.
    let status = unsafe { real_socket().WskGetLocalAddress.unwrap()(socket, local, irp) };
    pass("WskGetLocalAddress");
    status
}

unsafe extern "C" fn send_to(
    socket: *mut WSK_SOCKET,
    buffer: *mut WSK_BUF,
    flags: u32,
    remote: *mut SOCKADDR,
    control_bytes: u32,
    control: *mut CMSGHDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's IRP.
    unsafe { watch(irp) };
    let call = real_socket().WskSendTo.unwrap();
    // SAFETY: forwarded.
    let status = unsafe { call(socket, buffer, flags, remote, control_bytes, control, irp) };
    pass("WskSendTo");
    status
}

unsafe extern "C" fn send_messages(
    socket: *mut WSK_SOCKET,
    list: *mut WSK_BUF_LIST,
    flags: u32,
    remote: *mut SOCKADDR,
    control_bytes: u32,
    control: *mut CMSGHDR,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the client's IRP.
    unsafe { watch(irp) };
    let call = real_socket().WskSendMessages.unwrap();
    // SAFETY: forwarded.
    let status = unsafe { call(socket, list, flags, remote, control_bytes, control, irp) };
    pass("WskSendMessages");
    status
}

unsafe extern "C" fn release(socket: *mut WSK_SOCKET, list: *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS {
    // SAFETY: forwarded.
    let status = unsafe { real_socket().WskRelease.unwrap()(socket, list) };
    pass("WskRelease");
    status
}

/// Puts the watching table into a captured NPI: for [`ProviderConfig::interpose`](skua_hosted::ProviderConfig).
pub(crate) fn watched(npi: &mut WSK_PROVIDER_NPI) {
    static TABLE: OnceLock<WSK_PROVIDER_DISPATCH> = OnceLock::new();
    // SAFETY: the provider's table is constant.
    let table: &'static WSK_PROVIDER_DISPATCH = unsafe { &*npi.Dispatch };
    REAL.lock().unwrap().provider = Some(table);
    npi.Dispatch = TABLE.get_or_init(|| WSK_PROVIDER_DISPATCH { WskSocket: Some(socket), ..*table });
    pass("WskCaptureProviderNPI");
}
