//! Rules of WskRegister, WskCaptureProviderNPI, WskReleaseProviderNPI, WskQueryProviderCharacteristics and
//! WskDeregister.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::raw::socket::{Arguments, Socket};
use crate::raw::{CLIENT_DISPATCH, Client, LOCALHOST, kernel};
use skua_engine::Kernel;
use skua_engine::abi::sockaddr::AF_INET;
use skua_engine::abi::status::{NTSTATUS, STATUS_DEVICE_NOT_READY, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_NO_WAIT, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
};
use skua_engine::abi::zeroed;
use skua_hosted::{HostKernel, Transport};

/// A registration without a capture.
struct Registered {
    kernel: HostKernel,
    block: Box<WSK_REGISTRATION>,
}

// SAFETY: the registration calls can be made from any thread.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Registered {
    fn new(kernel: &HostKernel, dispatch: &'static WSK_CLIENT_DISPATCH) -> Self {
        let mut block: Box<WSK_REGISTRATION> = Box::new(zeroed());
        let mut npi = WSK_CLIENT_NPI { ClientContext: std::ptr::null_mut(), Dispatch: dispatch };
        // SAFETY: the block is boxed and the dispatch static; the NPI itself may be transient.
        let status = unsafe { kernel.wsk_register(&raw mut npi, &raw mut *block) };
        assert_eq!(status, STATUS_SUCCESS);
        Self { kernel: kernel.clone(), block }
    }

    fn raw(&self) -> *mut WSK_REGISTRATION {
        (&raw const *self.block).cast_mut()
    }

    fn capture(&self, wait: u32) -> NTSTATUS {
        let mut npi: WSK_PROVIDER_NPI = zeroed();
        // SAFETY: registered.
        unsafe { self.kernel.wsk_capture_provider_npi(self.raw(), wait, &raw mut npi) }
    }

    fn release(&self) {
        // SAFETY: registered; the test owes a release.
        unsafe { self.kernel.wsk_release_provider_npi(self.raw()) };
    }

    fn query(&self) -> (NTSTATUS, WSK_PROVIDER_CHARACTERISTICS) {
        let mut found = WSK_PROVIDER_CHARACTERISTICS::default();
        // SAFETY: registered.
        (unsafe { self.kernel.wsk_query_provider_characteristics(self.raw(), &raw mut found) }, found)
    }

    fn deregister(&self) {
        // SAFETY: registered; once.
        unsafe { self.kernel.wsk_deregister(self.raw()) };
    }
}

#[test]
fn a_capture_without_provider_is_not_ready() {
    let kernel = kernel(Transport::Loopback);
    let registered = Registered::new(&kernel, &CLIENT_DISPATCH);
    kernel.set_provider_away(true);
    assert_eq!(registered.capture(WSK_NO_WAIT), STATUS_DEVICE_NOT_READY);
    assert_eq!(registered.query().0, STATUS_DEVICE_NOT_READY);
    let begun = Instant::now();
    assert_eq!(registered.capture(20), STATUS_DEVICE_NOT_READY);
    assert!(begun.elapsed() >= Duration::from_millis(20), "waits as long as it was told");
    kernel.set_provider_away(false);
    assert_eq!(registered.capture(WSK_NO_WAIT), STATUS_SUCCESS);
    assert_eq!(kernel.outstanding().captures, 1);
    registered.release();
    registered.deregister();
    assert!(kernel.outstanding().is_empty());
}

#[test]
fn a_waiting_capture_succeeds_when_the_provider_comes() {
    let kernel = kernel(Transport::Loopback);
    let registered = Registered::new(&kernel, &CLIENT_DISPATCH);
    kernel.set_provider_away(true);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| registered.capture(u32::MAX));
        std::thread::sleep(Duration::from_millis(10));
        assert!(!waiting.is_finished());
        kernel.set_provider_away(false);
        assert_eq!(waiting.join().unwrap(), STATUS_SUCCESS);
    });
    registered.release();
    registered.deregister();
}

#[test]
fn deregistration_waits_for_every_capture() {
    let kernel = kernel(Transport::Loopback);
    let registered = Registered::new(&kernel, &CLIENT_DISPATCH);
    for _ in 0..2 {
        assert_eq!(registered.capture(WSK_NO_WAIT), STATUS_SUCCESS);
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            registered.deregister();
            done.store(true, Ordering::SeqCst);
        });
        registered.release();
        std::thread::sleep(Duration::from_millis(20));
        assert!(!done.load(Ordering::SeqCst), "one capture is left");
        registered.release();
    });
    assert!(done.into_inner());
}

#[test]
fn deregistration_turns_waiting_captures_away() {
    let kernel = kernel(Transport::Loopback);
    let registered = Registered::new(&kernel, &CLIENT_DISPATCH);
    assert_eq!(registered.capture(WSK_NO_WAIT), STATUS_SUCCESS);
    kernel.set_provider_away(true);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| registered.capture(u32::MAX));
        let deregistering = scope.spawn(|| registered.deregister());
        assert_eq!(waiting.join().unwrap(), STATUS_DEVICE_NOT_READY);
        assert!(!deregistering.is_finished(), "the capture is not released");
        registered.release();
    });
}

#[test]
fn deregistration_waits_for_sockets() {
    let kernel = kernel(Transport::Loopback);
    let mut client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let registration = (&raw mut *client.registration).expose_provenance();
    // SAFETY: pays for the client's capture; sockets stay usable.
    unsafe { kernel.wsk_release_provider_npi(&raw mut *client.registration) };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: registered, and deregistered here alone.
            unsafe { kernel.wsk_deregister(std::ptr::with_exposed_provenance_mut(registration)) };
            done.store(true, Ordering::SeqCst);
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(!done.load(Ordering::SeqCst), "a socket is open");
        assert_eq!(socket.send_to(socket.local(), &[b"still of use"], &[]).0, STATUS_SUCCESS);
        socket.close();
    });
    assert!(done.into_inner());
    assert!(kernel.outstanding().is_empty(), "{:?}", kernel.outstanding());
}

#[test]
fn calls_under_a_released_capture_are_not_ready() {
    let kernel = crate::raw::unverified(Transport::Loopback);
    let mut client = Client::new(&kernel);
    // SAFETY: pays for the client's capture.
    unsafe { kernel.wsk_release_provider_npi(&raw mut *client.registration) };
    assert_eq!(Arguments::datagram(AF_INET).create(&client), Err(STATUS_DEVICE_NOT_READY));
    assert_eq!(client.set_static_events(0x100), STATUS_DEVICE_NOT_READY);
    // SAFETY: registered.
    unsafe { kernel.wsk_deregister(&raw mut *client.registration) };
    assert!(kernel.outstanding().is_empty());
}
