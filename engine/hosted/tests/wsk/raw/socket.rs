//! Sockets of the raw client.

use std::ffi::c_void;
use std::net::SocketAddr;
use std::sync::Arc;

use skua_engine::Kernel;
use skua_engine::abi::cmsg::CMSGHDR;
use skua_engine::abi::nt::{EPROCESS, ETHREAD, IRP, MDL, mm_initialize_mdl};
use skua_engine::abi::sockaddr::{AF_INET, AF_INET6, IPPROTO_UDP, SOCK_DGRAM, SOCKADDR_INET};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    NPI_WSK_INTERFACE_ID, WSK_BUF, WSK_BUF_LIST, WSK_CONTROL_SOCKET_TYPE, WSK_DATAGRAM_INDICATION,
    WSK_EVENT_CALLBACK_CONTROL, WSK_FLAG_DATAGRAM_SOCKET, WSK_PROVIDER_BASIC_DISPATCH,
    WSK_PROVIDER_DATAGRAM_DISPATCH, WSK_SOCKET, WskGetOption, WskIoctl, WskSetOption,
};
use skua_hosted::HostKernel;

use super::recorder::{DISPATCH, Recorder};
use super::{Client, Irp};

/// The arguments of WskSocket.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) family: u16,
    pub(crate) socket_type: u16,
    pub(crate) protocol: u32,
    pub(crate) flags: u32,
    pub(crate) context: *mut c_void,
    pub(crate) dispatch: *const c_void,
    pub(crate) process: *mut EPROCESS,
    pub(crate) thread: *mut ETHREAD,
    pub(crate) security: *mut c_void,
}

impl Arguments {
    pub(crate) fn datagram(family: u16) -> Self {
        Self {
            family,
            socket_type: SOCK_DGRAM,
            protocol: IPPROTO_UDP,
            flags: WSK_FLAG_DATAGRAM_SOCKET,
            context: std::ptr::null_mut(),
            dispatch: std::ptr::null(),
            process: std::ptr::null_mut(),
            thread: std::ptr::null_mut(),
            security: std::ptr::null_mut(),
        }
    }

    /// Calls WskSocket.
    #[track_caller]
    pub(crate) fn create(&self, client: &Client) -> Result<*mut WSK_SOCKET, NTSTATUS> {
        let call = client.dispatch().WskSocket.unwrap();
        let (status, information) = Irp::new(&client.kernel).run(|irp| {
            // SAFETY: the arguments are whatever a test says; WskSocket refuses what is wrong.
            unsafe {
                call(
                    client.npi.Client,
                    self.family,
                    self.socket_type,
                    self.protocol,
                    self.flags,
                    self.context,
                    self.dispatch,
                    self.process,
                    self.thread,
                    self.security.cast(),
                    irp,
                )
            }
        });
        if status == STATUS_SUCCESS {
            Ok(std::ptr::with_exposed_provenance_mut(information))
        } else {
            Err(status)
        }
    }
}

/// A datagram socket whose receive event goes to a recorder.
pub(crate) struct Socket {
    pub(crate) kernel: HostKernel,
    pub(crate) raw: *mut WSK_SOCKET,
    pub(crate) recorder: Arc<Recorder>,
}

// SAFETY: sockets can be used from any thread.
unsafe impl Send for Socket {}
// SAFETY: as above.
unsafe impl Sync for Socket {}

impl Socket {
    /// A socket of the family of `local`, not bound.
    #[track_caller]
    pub(crate) fn open(client: &Client, is_v4: bool) -> Self {
        let recorder = Arc::new(Recorder::default());
        let arguments = Arguments {
            context: Arc::as_ptr(&recorder).cast_mut().cast(),
            dispatch: (&raw const DISPATCH).cast(),
            ..Arguments::datagram(if is_v4 { AF_INET } else { AF_INET6 })
        };
        let raw = arguments.create(client).unwrap();
        let socket = Self { kernel: client.kernel.clone(), raw, recorder };
        socket.recorder.attach(&socket.kernel, raw);
        socket
    }

    /// Opens and binds.
    #[track_caller]
    pub(crate) fn bound(client: &Client, local: SocketAddr) -> Self {
        let socket = Self::open(client, local.is_ipv4());
        assert_eq!(socket.bind(local), STATUS_SUCCESS);
        socket
    }

    pub(crate) fn table(&self) -> &'static WSK_PROVIDER_DATAGRAM_DISPATCH {
        // SAFETY: a live datagram socket.
        unsafe { table_of(self.raw) }
    }

    /// Runs a call that takes an IRP.
    #[track_caller]
    pub(crate) fn run(&self, call: impl FnOnce(*mut IRP) -> NTSTATUS) -> (NTSTATUS, usize) {
        Irp::new(&self.kernel).run(call)
    }

    #[track_caller]
    pub(crate) fn bind(&self, local: SocketAddr) -> NTSTATUS {
        let mut address = SOCKADDR_INET::from(local);
        // SAFETY: a live socket and address.
        self.run(|irp| unsafe { self.table().WskBind.unwrap()(self.raw, address.as_mut_ptr(), 0, irp) }).0
    }

    #[track_caller]
    pub(crate) fn local_address(&self) -> Result<SocketAddr, NTSTATUS> {
        let mut address = SOCKADDR_INET::UNSPEC;
        let call = self.table().WskGetLocalAddress.unwrap();
        // SAFETY: a live socket; the address outlives the request.
        let (status, _) = self.run(|irp| unsafe { call(self.raw, address.as_mut_ptr(), irp) });
        if status == STATUS_SUCCESS { Ok(address.to_socket_addr().unwrap()) } else { Err(status) }
    }

    /// The address it is bound to.
    #[track_caller]
    pub(crate) fn local(&self) -> SocketAddr {
        self.local_address().unwrap()
    }

    /// WskControlSocket with an IRP: the status and the size of the output.
    #[track_caller]
    pub(crate) fn control(
        &self,
        kind: WSK_CONTROL_SOCKET_TYPE,
        level: u32,
        code: u32,
        input: Option<(*mut c_void, usize)>,
        output: Option<(*mut c_void, usize)>,
    ) -> (NTSTATUS, usize) {
        self.run(|irp| self.control_with(kind, level, code, input, output, irp))
    }

    /// WskControlSocket with any IRP.
    pub(crate) fn control_with(
        &self,
        kind: WSK_CONTROL_SOCKET_TYPE,
        level: u32,
        code: u32,
        input: Option<(*mut c_void, usize)>,
        output: Option<(*mut c_void, usize)>,
        irp: *mut IRP,
    ) -> NTSTATUS {
        // SAFETY: a socket of any category begins with the basic table.
        let table = unsafe { table_of::<WSK_PROVIDER_BASIC_DISPATCH>(self.raw) };
        let (input, input_size) = input.unwrap_or((std::ptr::null_mut(), 0));
        let (output, output_size) = output.unwrap_or((std::ptr::null_mut(), 0));
        let call = table.WskControlSocket.unwrap();
        let nowhere = std::ptr::null_mut();
        // SAFETY: buffers of these sizes.
        unsafe { call(self.raw, kind, code, level, input_size, input, output_size, output, nowhere, irp) }
    }

    #[track_caller]
    pub(crate) fn set<T>(&self, level: u32, option: u32, mut value: T) -> NTSTATUS {
        self.control(WskSetOption, level, option, Some(super::bytes_of(&mut value)), None).0
    }

    #[track_caller]
    pub(crate) fn get(&self, level: u32, option: u32) -> Result<u32, NTSTATUS> {
        let mut value = 0u32;
        let (status, size) =
            self.control(WskGetOption, level, option, None, Some(super::bytes_of(&mut value)));
        if status == STATUS_SUCCESS {
            assert_eq!(size, 4);
            Ok(value)
        } else {
            Err(status)
        }
    }

    #[track_caller]
    pub(crate) fn ioctl<T>(&self, code: u32, input: Option<T>) -> NTSTATUS {
        let mut input = input;
        self.control(WskIoctl, 0, code, input.as_mut().map(super::bytes_of), None).0
    }

    /// SO_WSK_EVENT_CALLBACK without an IRP.
    pub(crate) fn set_event(&self, mask: u32, irp: *mut IRP) -> NTSTATUS {
        let mut control =
            WSK_EVENT_CALLBACK_CONTROL { NpiId: &raw const NPI_WSK_INTERFACE_ID, EventMask: mask };
        let input = Some(super::bytes_of(&mut control));
        self.control_with(WskSetOption, 0xFFFF, 0x4002, input, None, irp)
    }

    /// WskReceiveFrom into `target`: hands over the IRP and returns what the call did.
    pub(crate) fn receive_from(&self, target: &mut Target, irp: *mut IRP) -> NTSTATUS {
        let call = self.table().WskReceiveFrom.unwrap();
        let mut header = target.buffer.header();
        let control = target.control.as_mut_ptr().cast();
        target.control_length = u32::try_from(size_of_val(&target.control)).unwrap();
        let (remote, length, flags) =
            (target.remote.as_mut_ptr(), &raw mut target.control_length, &raw mut target.flags);
        // SAFETY: a live socket; the target outlives the request.
        unsafe { call(self.raw, &raw mut header, 0, remote, length, control, flags, irp) }
    }

    pub(crate) fn release(&self, list: *mut WSK_DATAGRAM_INDICATION) -> NTSTATUS {
        // SAFETY: a live socket; the list is whatever a test says.
        unsafe { self.table().WskRelease.unwrap()(self.raw, list) }
    }

    /// WskSendTo of a payload in the given parts.
    #[track_caller]
    pub(crate) fn send_to(&self, remote: SocketAddr, parts: &[&[u8]], control: &[u8]) -> (NTSTATUS, usize) {
        let buffer = Buffer::new(&self.kernel, parts);
        self.run(|irp| self.send_with(&mut buffer.header(), Some(remote), control, irp))
    }

    /// Sends a payload, which succeeds.
    #[track_caller]
    pub(crate) fn deliver(&self, remote: SocketAddr, payload: &[u8]) {
        assert_eq!(self.send_to(remote, &[payload], &[]), (STATUS_SUCCESS, payload.len()));
    }

    pub(crate) fn send_with(
        &self,
        buffer: &mut WSK_BUF,
        remote: Option<SocketAddr>,
        control: &[u8],
        irp: *mut IRP,
    ) -> NTSTATUS {
        let mut remote = remote.map(SOCKADDR_INET::from);
        let remote = remote.as_mut().map_or(std::ptr::null_mut(), SOCKADDR_INET::as_mut_ptr);
        let (control_length, control) = area(control);
        let call = self.table().WskSendTo.unwrap();
        // SAFETY: a live socket and buffer.
        unsafe { call(self.raw, buffer, 0, remote, control_length, control, irp) }
    }

    /// WskSendMessages of one datagram for each payload.
    #[track_caller]
    pub(crate) fn send_messages(
        &self,
        remote: SocketAddr,
        payloads: &[&[u8]],
        control: &[u8],
    ) -> (NTSTATUS, usize) {
        let buffers: Vec<Buffer> =
            payloads.iter().map(|payload| Buffer::new(&self.kernel, &[payload])).collect();
        let mut nodes: Vec<WSK_BUF_LIST> = buffers
            .iter()
            .map(|buffer| WSK_BUF_LIST { Next: std::ptr::null_mut(), Buffer: buffer.header() })
            .collect();
        for index in 1..nodes.len() {
            nodes[index - 1].Next = &raw mut nodes[index];
        }
        let mut remote = SOCKADDR_INET::from(remote);
        let (control_length, control) = area(control);
        let call = self.table().WskSendMessages.unwrap();
        self.run(|irp| {
            // SAFETY: nodes and buffers outlive the request.
            unsafe {
                call(self.raw, nodes.as_mut_ptr(), 0, remote.as_mut_ptr(), control_length, control, irp)
            }
        })
    }

    /// WskCloseSocket: hands over the IRP and returns what the call did.
    pub(crate) fn start_close(&self, irp: &mut Irp) -> NTSTATUS {
        // SAFETY: a socket of any category begins with the basic table.
        let table = unsafe { table_of::<WSK_PROVIDER_BASIC_DISPATCH>(self.raw) };
        // SAFETY: a live socket.
        unsafe { table.WskCloseSocket.unwrap()(self.raw, irp.raw()) }
    }

    /// Closes and waits.
    #[track_caller]
    pub(crate) fn close(self) {
        let (status, _) = self.run(|irp| {
            // SAFETY: a socket of any category begins with the basic table.
            let table = unsafe { table_of::<WSK_PROVIDER_BASIC_DISPATCH>(self.raw) };
            // SAFETY: a live socket, closed once.
            unsafe { table.WskCloseSocket.unwrap()(self.raw, irp) }
        });
        assert_eq!(status, STATUS_SUCCESS);
    }
}

/// A socket's table, as that of its category or the beginning that all have.
///
/// # Safety
/// `socket` is live, and of a category whose table begins with a `T`.
pub(crate) unsafe fn table_of<T>(socket: *mut WSK_SOCKET) -> &'static T {
    // SAFETY: a live socket.
    let table = unsafe { (*socket).Dispatch };
    // SAFETY: tables are static.
    unsafe { &*table.cast() }
}

fn area(control: &[u8]) -> (u32, *mut CMSGHDR) {
    if control.is_empty() {
        return (0, std::ptr::null_mut());
    }
    (u32::try_from(control.len()).unwrap(), control.as_ptr().cast_mut().cast())
}

/// Memory described by a chain of MDLs, one for each part.
pub(crate) struct Buffer {
    mdls: Vec<Box<[u64]>>,
    pub(crate) parts: Vec<Vec<u8>>,
}

impl Buffer {
    pub(crate) fn new(kernel: &HostKernel, parts: &[&[u8]]) -> Self {
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        let mut mdls = Vec::new();
        for part in &parts {
            let mut mdl = vec![0u64; 6 + part.len() / 4096 + 2].into_boxed_slice();
            let header = mdl.as_mut_ptr().cast::<MDL>();
            let length = u32::try_from(part.len()).unwrap();
            // SAFETY: room for the header and the page numbers.
            unsafe { mm_initialize_mdl(header, part.as_ptr().cast_mut().cast(), length) };
            // SAFETY: as above.
            unsafe { kernel.mm_build_mdl_for_non_paged_pool(header) };
            mdls.push(mdl);
        }
        let mut next = std::ptr::null_mut();
        for mdl in mdls.iter_mut().rev() {
            let header = mdl.as_mut_ptr().cast::<MDL>();
            // SAFETY: initialised above.
            unsafe { (*header).Next = next };
            next = header;
        }
        Self { mdls, parts }
    }

    /// All of it.
    pub(crate) fn header(&self) -> WSK_BUF {
        WSK_BUF {
            Mdl: self.mdls.first().map_or(std::ptr::null_mut(), |mdl| mdl.as_ptr().cast_mut().cast()),
            Offset: 0,
            Length: self.parts.iter().map(Vec::len).sum(),
        }
    }
}

/// Where WskReceiveFrom puts a datagram.
pub(crate) struct Target {
    buffer: Buffer,
    pub(crate) remote: SOCKADDR_INET,
    pub(crate) control: [u64; 16],
    pub(crate) control_length: u32,
    pub(crate) flags: u32,
}

impl Target {
    /// Room of the given sizes, one MDL each.
    pub(crate) fn new(kernel: &HostKernel, sizes: &[usize]) -> Self {
        let parts: Vec<Vec<u8>> = sizes.iter().map(|size| vec![0; *size]).collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Self {
            buffer: Buffer::new(kernel, &parts),
            remote: SOCKADDR_INET::UNSPEC,
            control: [0; 16],
            control_length: 0,
            flags: 0,
        }
    }

    /// The first bytes of the room.
    pub(crate) fn bytes(&self, count: usize) -> Vec<u8> {
        let mut bytes = self.buffer.parts.concat();
        bytes.truncate(count);
        bytes
    }
}
