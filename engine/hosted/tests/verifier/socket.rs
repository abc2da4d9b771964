//! Datagram sockets of the programs, over the kernel's loopback.

use std::ffi::c_void;
use std::net::SocketAddr;
use std::ptr::{self, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use skua_engine::Kernel;
use skua_engine::abi::nt::{
    DEVICE_OBJECT, IO_SIZE_OF_IRP_1, IRP, MDL, io_set_completion_routine, mm_initialize_mdl,
};
use skua_engine::abi::sockaddr::{AF_INET, IPPROTO_UDP, SOCK_DGRAM, SOCKADDR_INET};
use skua_engine::abi::status::{NTSTATUS, STATUS_MORE_PROCESSING_REQUIRED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_BUF, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_DATAGRAM_INDICATION,
    WSK_EVENT_CALLBACK_CONTROL, WSK_EVENT_RECEIVE_FROM, WSK_FLAG_DATAGRAM_SOCKET,
    WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_PROVIDER_DISPATCH, WSK_SET_STATIC_EVENT_CALLBACKS, WSK_SOCKET,
};
use skua_hosted::HostKernel;

use crate::client::{Client, uninitialized};

/// Longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Waits until `condition`.
#[track_caller]
pub(crate) fn eventually(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// An IRP, and how it ended. Never freed.
pub(crate) struct Operation {
    pub(crate) irp: *mut IRP,
    ended: &'static Mutex<Option<(NTSTATUS, usize)>>,
}

unsafe extern "C" fn ended(_: *mut DEVICE_OBJECT, irp: *mut IRP, context: *mut c_void) -> NTSTATUS {
    // SAFETY: the context of `Operation::new`.
    let ended = unsafe { &*context.cast::<Mutex<Option<(NTSTATUS, usize)>>>() };
    // SAFETY: completed.
    let block = unsafe { (*irp).IoStatus };
    *ended.lock().unwrap() = Some((block.Status, block.Information));
    STATUS_MORE_PROCESSING_REQUIRED
}

impl Operation {
    pub(crate) fn new(kernel: &HostKernel) -> Self {
        let irp = uninitialized();
        // SAFETY: of this size.
        unsafe { kernel.io_initialize_irp(irp, IO_SIZE_OF_IRP_1, 1) };
        let state: &'static Mutex<_> = Box::leak(Box::new(Mutex::new(None)));
        let context = ptr::from_ref(state).cast_mut().cast();
        // SAFETY: a location is left.
        unsafe { io_set_completion_routine(irp, Some(ended), context, true, true, true) };
        Self { irp, ended: state }
    }

    /// How it ended.
    #[track_caller]
    pub(crate) fn wait(&self) -> (NTSTATUS, usize) {
        eventually(|| self.ended.lock().unwrap().is_some());
        self.ended.lock().unwrap().expect("it has ended")
    }
}

/// What a socket's receive event does.
pub(crate) type Receive = dyn Fn(*mut WSK_DATAGRAM_INDICATION) -> NTSTATUS + Send + Sync;

/// The context of a socket.
pub(crate) struct Events {
    receive: Mutex<Arc<Receive>>,
    /// Calls that have returned.
    pub(crate) returned: AtomicUsize,
}

unsafe extern "C" fn receive_from(
    context: *mut c_void,
    _flags: u32,
    list: *mut WSK_DATAGRAM_INDICATION,
) -> NTSTATUS {
    // SAFETY: the context of `Socket::open`, which stays.
    let events = unsafe { &*context.cast::<Events>() };
    let receive = Arc::clone(&events.receive.lock().unwrap());
    let answer = receive(list);
    events.returned.fetch_add(1, Ordering::SeqCst);
    answer
}

static DISPATCH: WSK_CLIENT_DATAGRAM_DISPATCH =
    WSK_CLIENT_DATAGRAM_DISPATCH { WskReceiveFromEvent: Some(receive_from) };

/// A datagram socket.
#[derive(Clone)]
pub(crate) struct Socket {
    pub(crate) raw: *mut WSK_SOCKET,
    pub(crate) events: &'static Events,
    kernel: HostKernel,
}

// SAFETY: sockets can be used from any thread.
unsafe impl Send for Socket {}
// SAFETY: as above.
unsafe impl Sync for Socket {}

/// The client-level table.
pub(crate) fn table(client: &Client) -> &'static WSK_PROVIDER_DISPATCH {
    // SAFETY: the verifier keeps it as long as the kernel.
    unsafe { &*client.npi.Dispatch }
}

impl Socket {
    /// Hands WskSocket's IRP over.
    pub(crate) fn start(
        client: &Client,
        events: &'static Events,
        descriptor: usize,
        operation: &Operation,
    ) -> NTSTATUS {
        let create = table(client).WskSocket.expect("every table has it");
        let descriptor = ptr::with_exposed_provenance_mut(descriptor);
        let dispatch = (&raw const DISPATCH).cast();
        let context = ptr::from_ref(events).cast_mut().cast();
        // SAFETY: the context and the table stay.
        unsafe {
            create(
                client.npi.Client,
                AF_INET,
                SOCK_DGRAM,
                IPPROTO_UDP,
                WSK_FLAG_DATAGRAM_SOCKET,
                context,
                dispatch,
                null_mut(),
                null_mut(),
                descriptor,
                operation.irp,
            )
        }
    }

    pub(crate) fn events(
        receive: impl Fn(*mut WSK_DATAGRAM_INDICATION) -> NTSTATUS + Send + Sync + 'static,
    ) -> &'static Events {
        Box::leak(Box::new(Events { receive: Mutex::new(Arc::new(receive)), returned: AtomicUsize::new(0) }))
    }

    /// The socket that an operation has created.
    pub(crate) fn of(kernel: &HostKernel, events: &'static Events, operation: &Operation) -> Self {
        let (status, information) = operation.wait();
        assert_eq!(status, STATUS_SUCCESS);
        Self { raw: ptr::with_exposed_provenance_mut(information), events, kernel: kernel.clone() }
    }

    /// A bound socket whose receive event is enabled.
    pub(crate) fn open(
        client: &Client,
        receive: impl Fn(*mut WSK_DATAGRAM_INDICATION) -> NTSTATUS + Send + Sync + 'static,
    ) -> Self {
        enable_events(client);
        let events = Self::events(receive);
        let operation = Operation::new(&client.kernel);
        let _ = Self::start(client, events, 0, &operation);
        let socket = Self::of(&client.kernel, events, &operation);
        assert_eq!(socket.bind().0, STATUS_SUCCESS);
        socket
    }

    fn table(&self) -> &'static WSK_PROVIDER_DATAGRAM_DISPATCH {
        // SAFETY: the verifier keeps closed sockets.
        let table = unsafe { (*self.raw).Dispatch };
        // SAFETY: the layer's, which is static.
        unsafe { &*table.cast() }
    }

    fn run(&self, call: impl FnOnce(*mut IRP) -> NTSTATUS) -> (NTSTATUS, usize) {
        let operation = Operation::new(&self.kernel);
        let _ = call(operation.irp);
        operation.wait()
    }

    /// WskBind to a port of its own at the loopback address.
    pub(crate) fn bind(&self) -> (NTSTATUS, usize) {
        let mut local = SOCKADDR_INET::from(SocketAddr::from(([127, 0, 0, 1], 0)));
        let bind = self.table().WskBind.expect("every table has it");
        // SAFETY: an address that outlives the call; whether the socket is open is the program's business.
        self.run(|irp| unsafe { bind(self.raw, local.as_mut_ptr(), 0, irp) })
    }

    pub(crate) fn local(&self) -> SOCKADDR_INET {
        let mut local = SOCKADDR_INET::UNSPEC;
        let get = self.table().WskGetLocalAddress.expect("every table has it");
        // SAFETY: as above.
        let _ = self.run(|irp| unsafe { get(self.raw, local.as_mut_ptr(), irp) });
        local
    }

    /// WskSendTo to itself, of this buffer.
    pub(crate) fn start_send(&self, buffer: *mut WSK_BUF, operation: &Operation) -> NTSTATUS {
        let mut to = self.local();
        let send = self.table().WskSendTo.expect("every table has it");
        // SAFETY: as above; what the buffer describes is the program's business.
        unsafe { send(self.raw, buffer, 0, to.as_mut_ptr(), 0, null_mut(), operation.irp) }
    }

    pub(crate) fn send(&self, buffer: *mut WSK_BUF) -> NTSTATUS {
        let operation = Operation::new(&self.kernel);
        let _ = self.start_send(buffer, &operation);
        operation.wait().0
    }

    /// Sends itself a datagram, and waits until the receive event has returned for it.
    pub(crate) fn receive_one(&self) {
        let before = self.events.returned.load(Ordering::SeqCst);
        assert_eq!(self.send(&mut buffer(&self.kernel, b"datagram")), STATUS_SUCCESS);
        eventually(|| self.events.returned.load(Ordering::SeqCst) > before);
    }

    /// WskRelease.
    pub(crate) fn release(&self, list: *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS {
        let release = self.table().WskRelease.expect("every table has it");
        // SAFETY: whether it is lent is the program's business.
        unsafe { release(self.raw, list) }
    }

    /// WskCloseSocket.
    pub(crate) fn start_close(&self, operation: &Operation) -> NTSTATUS {
        let close = self.table().Basic.WskCloseSocket.expect("every table has it");
        // SAFETY: whether it is open is the program's business.
        unsafe { close(self.raw, operation.irp) }
    }

    pub(crate) fn close(&self) -> NTSTATUS {
        self.run(|irp| {
            let close = self.table().Basic.WskCloseSocket.expect("every table has it");
            // SAFETY: as above.
            unsafe { close(self.raw, irp) }
        })
        .0
    }
}

/// WSK_SET_STATIC_EVENT_CALLBACKS, before the first socket.
fn enable_events(client: &Client) {
    let mut control = WSK_EVENT_CALLBACK_CONTROL {
        NpiId: &raw const NPI_WSK_INTERFACE_ID,
        EventMask: WSK_EVENT_RECEIVE_FROM,
    };
    let _ = control_client(client, WSK_SET_STATIC_EVENT_CALLBACKS, bytes_of(&mut control), (null_mut(), 0));
}

/// WskControlClient without IRP.
pub(crate) fn control_client(
    client: &Client,
    code: u32,
    (input, input_size): (*mut c_void, usize),
    (output, output_size): (*mut c_void, usize),
) -> NTSTATUS {
    let control = table(client).WskControlClient.expect("every table has it");
    let mut returned = 0;
    // SAFETY: buffers of these sizes.
    unsafe {
        control(
            client.npi.Client,
            code,
            input_size,
            input,
            output_size,
            output,
            &raw mut returned,
            null_mut(),
        )
    }
}

pub(crate) fn bytes_of<T>(value: &mut T) -> (*mut c_void, usize) {
    (ptr::from_mut(value).cast(), size_of::<T>())
}

/// A buffer of nonpaged pool. Never freed.
pub(crate) fn buffer(kernel: &HostKernel, data: &[u8]) -> WSK_BUF {
    let data = Box::leak(data.to_vec().into_boxed_slice());
    let length = data.len();
    let mdl = Box::leak(vec![0u64; 16].into_boxed_slice()).as_mut_ptr().cast::<MDL>();
    let size = u32::try_from(length).expect("a short one");
    // SAFETY: room for the header and the pages of a short buffer.
    unsafe { mm_initialize_mdl(mdl, data.as_mut_ptr().cast(), size) };
    // SAFETY: as above.
    unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) };
    WSK_BUF { Mdl: mdl, Offset: 0, Length: length }
}
