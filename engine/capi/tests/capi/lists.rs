//! Lists of a filter's, through the functions in C.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};

use skua_capi::*;
use skua_engine::Kernel as _;
use skua_engine::abi::ndis::{NET_BUFFER, NET_BUFFER_LIST};
use skua_engine::abi::nt::{MDL, mm_initialize_mdl};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DELETE_PENDING, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT,
    STATUS_QUOTA_EXCEEDED, STATUS_SUCCESS,
};
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;

use crate::fixture::{CONSUME, DROP, Fixture, Handler, RETAIN, size};

/// A list of one buffer over `bytes`.
struct List {
    list: Box<NET_BUFFER_LIST>,
    _buffer: Box<NET_BUFFER>,
    _mdl: Box<[u64; 12]>,
    _bytes: Vec<u8>,
}

impl List {
    fn new(kernel: &HostKernel, mut bytes: Vec<u8>) -> Self {
        let mut mdl = Box::new([0; 12]);
        let header = mdl.as_mut_ptr().cast::<MDL>();
        let length = u32::try_from(bytes.len()).unwrap();
        // SAFETY: the array has room for the header and the pages of some bytes.
        unsafe { mm_initialize_mdl(header, bytes.as_mut_ptr().cast(), length) };
        // SAFETY: initialised over memory that is never paged here.
        unsafe { kernel.mm_build_mdl_for_non_paged_pool(header) };
        let mut buffer = Box::new(zeroed::<NET_BUFFER>());
        buffer.CurrentMdl = header;
        buffer.MdlChain = header;
        buffer.DataLength = bytes.len();
        let mut list = Box::new(zeroed::<NET_BUFFER_LIST>());
        list.FirstNetBuffer = &raw mut *buffer;
        Self { list, _buffer: buffer, _mdl: mdl, _bytes: bytes }
    }

    fn as_ptr(&mut self) -> *mut NET_BUFFER_LIST {
        &raw mut *self.list
    }
}

fn endpoint(port: u16) -> SKUA_ENDPOINT {
    let mut endpoint = SKUA_ENDPOINT { Family: SKUA_IPV4, Port: port, ..SKUA_ENDPOINT::default() };
    endpoint.Address[..4].copy_from_slice(&[127, 0, 0, 1]);
    endpoint
}

fn info(header_bytes: u32) -> SKUA_NBL_INFO {
    let bytes = size::<SKUA_NBL_INFO>();
    let (remote, local) = (endpoint(1), endpoint(2));
    SKUA_NBL_INFO {
        Size: bytes,
        HeaderBytes: header_bytes,
        Remote: remote,
        Local: local,
        ..SKUA_NBL_INFO::default()
    }
}

unsafe extern "C" fn refused(context: *mut c_void, list: *mut NET_BUFFER_LIST, buffer: *mut NET_BUFFER) {
    assert!(!list.is_null() && !buffer.is_null());
    // SAFETY: the count of the test.
    unsafe { &*context.cast::<AtomicU32>() }.fetch_add(1, Ordering::Relaxed);
}

fn open(fixture: &Fixture) -> SKUA_SOURCE {
    let mut source = SKUA_SOURCE::default();
    // SAFETY: an engine, and room for the number.
    assert_eq!(unsafe { SkuaOpenSource(fixture.engine(), 3, &raw mut source) }, STATUS_SUCCESS);
    source
}

fn receive(fixture: &Fixture, source: SKUA_SOURCE, list: &mut List, count: &AtomicU32) -> NTSTATUS {
    let (info, mut seen) = (info(8), 0);
    let context = std::ptr::from_ref(count).cast_mut().cast();
    // SAFETY: an engine, and a list that is lent for the call.
    let status = unsafe {
        SkuaReceiveNbl(
            fixture.engine(),
            source,
            list.as_ptr(),
            &raw const info,
            Some(refused),
            context,
            &raw mut seen,
        )
    };
    assert!(status != STATUS_SUCCESS || seen == 1);
    status
}

#[test]
fn a_filters_datagrams_reach_the_handler_behind_their_headers_and_refusals_are_told() {
    let fixture = Fixture::open(Handler::told(CONSUME), |config| config.MaxSources = 1);
    let source = open(&fixture);
    let count = AtomicU32::new(0);
    let mut list = List::new(&fixture.kernel, b"headers-payload".to_vec());
    assert_eq!(receive(&fixture, source, &mut list, &count), STATUS_SUCCESS);
    assert_eq!(*fixture.handler.payloads.lock().unwrap(), [b"payload"]);
    assert_eq!(count.load(Ordering::Relaxed), 0);

    fixture.handler.action.store(DROP, Ordering::Relaxed);
    assert_eq!(receive(&fixture, source, &mut list, &count), STATUS_SUCCESS);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let mut short = List::new(&fixture.kernel, b"short".to_vec());
    assert_eq!(receive(&fixture, source, &mut short, &count), STATUS_SUCCESS);
    assert_eq!(count.load(Ordering::Relaxed), 2);
    let now = fixture.statistics();
    assert_eq!((now.Indicated, now.Accepted), (3, 1));
    assert_eq!(now.Drops[SKUA_DROP_MALFORMED as usize], 1);

    let mut another = SKUA_SOURCE::default();
    // SAFETY: an engine, and room for the number.
    assert_eq!(unsafe { SkuaOpenSource(fixture.engine(), 3, &raw mut another) }, STATUS_QUOTA_EXCEEDED);
    assert_eq!(receive(&fixture, another, &mut list, &count), STATUS_INVALID_HANDLE);
    fixture.close();
}

#[test]
fn a_source_drains_when_what_was_retained_of_it_has_come_back() {
    let fixture = Fixture::open(Handler::told(RETAIN), |config| {
        config.MaxSources = 1;
        config.Flags = SKUA_COPY_BEYOND_BUDGET;
        config.CopySlots = 2;
    });
    let mut source = open(&fixture);
    let first = source;
    let count = AtomicU32::new(0);
    let mut list = List::new(&fixture.kernel, b"headers-payload".to_vec());
    assert_eq!(receive(&fixture, source, &mut list, &count), STATUS_SUCCESS);
    let kept = fixture.handler.kept.lock().unwrap().pop().unwrap();
    // SAFETY: an engine.
    assert_eq!(unsafe { SkuaStopSource(fixture.engine(), source) }, STATUS_SUCCESS);
    assert_eq!(receive(&fixture, source, &mut list, &count), STATUS_SUCCESS);
    assert_eq!(fixture.statistics().Drops[SKUA_DROP_CLOSING as usize], 1);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    // SAFETY: an engine, and the number.
    assert_eq!(unsafe { SkuaDrainSource(fixture.engine(), &raw mut source, 1) }, STATUS_IO_TIMEOUT);
    assert_eq!(receive(&fixture, source, &mut list, &count), STATUS_DELETE_PENDING);
    assert_eq!(receive(&fixture, first, &mut list, &count), STATUS_INVALID_HANDLE);
    // SAFETY: an engine; what is outstanding need not be known.
    assert_eq!(unsafe { SkuaClose(fixture.engine(), 1, null_mut()) }, STATUS_IO_TIMEOUT);
    assert_eq!(fixture.release(kept), STATUS_SUCCESS);
    fixture.close();
}

unsafe extern "C" fn done(context: *mut c_void, status: NTSTATUS) {
    assert_eq!(status, STATUS_SUCCESS);
    // SAFETY: the count of the test.
    unsafe { &*context.cast::<AtomicU32>() }.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn a_filters_list_is_sent_out_of_its_own_memory() {
    let fixture = Fixture::open(Handler::told(CONSUME), |_| {});
    let (socket, peer) = fixture.socket();
    let to = endpoint(peer.local_addr().unwrap().port());
    let mut list = List::new(&fixture.kernel, b"headers-payload".to_vec());
    let (count, mut sent) = (AtomicU32::new(0), 0);
    let mut send = |list: *mut NET_BUFFER_LIST, reserved| {
        let context = (&raw const count).cast_mut().cast();
        // SAFETY: an engine, and a list that stays until the send is over.
        unsafe {
            SkuaSendNbl(
                fixture.engine(),
                socket,
                &raw const to,
                list,
                8,
                reserved,
                std::ptr::null(),
                Some(done),
                context,
                &raw mut sent,
            )
        }
    };
    assert_eq!(send(null_mut(), SKUA_PROTOCOL_RESERVED), STATUS_INVALID_PARAMETER);
    assert_eq!(send(list.as_ptr(), 9), STATUS_INVALID_PARAMETER);
    assert_eq!(send(list.as_ptr(), SKUA_PROTOCOL_RESERVED), STATUS_SUCCESS);
    let mut bytes = [0; 32];
    let length = peer.recv(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"payload");
    fixture.until(|now| now.SendsCompleted == 1 && count.load(Ordering::SeqCst) == 1);
    assert_eq!(sent, 1);
    fixture.close();
}
