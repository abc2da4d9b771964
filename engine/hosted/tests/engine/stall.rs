//! Requests that the provider neither ends nor lets be cancelled, at every step of opening a socket.

// UNSAFETY: writes what a request refers to.
#![expect(unsafe_code, reason = "keeps buffers beyond the call that brought them")]

use std::ffi::c_void;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skua_engine::abi::status::{NTSTATUS, STATUS_CANCELLED, STATUS_IO_TIMEOUT};
use skua_engine::{
    Config, DatagramSocket, Engine, Events, Membership, MembershipError, OpenSocketError, OpenStep,
    Outstanding, Passive, Provider, Registration,
};
use skua_hosted::middleware::{Arguments, Call, Function, Held, Middleware};
use skua_hosted::{HostConfig, HostKernel, ProviderConfig};

use crate::fixture::{PATIENCE, Policy, Recorder, told};
use crate::membership::loopback_index;

/// Takes the next request of one function and sits on it until the test lets go.
#[derive(Debug, Default)]
struct Sitting {
    on: Mutex<Option<Function>>,
    held: Mutex<Option<Held>>,
}

impl Sitting {
    fn sit_on(&self, function: Function) {
        *self.on.lock().unwrap() = Some(function);
    }

    fn take_held(&self) -> Held {
        self.held.lock().unwrap().take().expect("a request")
    }
}

impl Middleware for Sitting {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let sits = self.on.lock().unwrap().take_if(|function| *function == call.function()).is_some();
        if !sits {
            return call.pass();
        }
        let (held, pending) = call.hold().expect("a request");
        *self.held.lock().unwrap() = Some(held);
        pending
    }
}

/// Ends a request: uses its data, whose requester gave up long ago, and completes it.
fn end(held: Held, status: NTSTATUS) {
    assert!(held.is_cancelled(), "it was cancelled before it was given up");
    let (data, bytes): (*mut c_void, usize) = match *held.arguments() {
        Arguments::Socket { .. } => return held.pass(),
        Arguments::ControlSocket { input_buffer, input_size, .. } => (input_buffer, input_size),
        Arguments::Bind { local_address, .. } => (local_address.cast(), 16),
        Arguments::GetLocalAddress { local_address } => (local_address.cast(), 16),
        other => panic!("nothing sits on {other:?}"),
    };
    // SAFETY: the request's own data, until it is completed.
    unsafe { data.cast::<u8>().write_bytes(0xa5, bytes) };
    held.complete(status, 0);
}

type Handle = DatagramSocket<HostKernel, Recorder<HostKernel>>;

/// A client of a provider that sits on requests.
struct Bench {
    kernel: HostKernel,
    registration: Registration<HostKernel>,
    provider: Provider<HostKernel>,
    engine: Engine<HostKernel, Recorder<HostKernel>>,
    sitting: Arc<Sitting>,
}

impl Bench {
    fn new() -> Self {
        let sitting = Arc::new(Sitting::default());
        let provider = ProviderConfig { middleware: vec![sitting.clone()], ..ProviderConfig::default() };
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
        Self { kernel, registration, provider, engine, sitting }
    }

    fn open(&self) -> Result<Handle, OpenSocketError> {
        let passive = Passive::acquire(&self.kernel).unwrap();
        self.engine.open_socket(&self.provider, &told("127.0.0.1:0"), &passive)
    }

    /// Leaves while `held` is out, in vain, then ends it, and leaves with nothing behind.
    fn leave(self, held: Held, status: NTSTATUS) {
        let Self { kernel, mut registration, provider, engine, sitting: _ } = self;
        drop(engine);
        let passive = Passive::acquire(&kernel).unwrap();
        let outstanding = registration.reap(&passive).unwrap();
        let Outstanding { inside, sends, request, .. } = outstanding;
        assert_eq!((inside, sends, request), (0, 0, true), "{outstanding}");
        end(held, status);
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
        (Function::ControlSocket, OpenStep::Options),
        (Function::Bind, OpenStep::Bind),
        (Function::GetLocalAddress, OpenStep::LocalAddress),
    ] {
        let bench = Bench::new();
        bench.sitting.sit_on(function);
        match bench.open().err() {
            Some(OpenSocketError::Refused { step, status, .. }) => {
                assert_eq!((step, status), (expected, STATUS_IO_TIMEOUT));
            }
            other => panic!("{function:?}: {other:?}"),
        }
        let held = bench.sitting.take_held();
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
    bench.sitting.sit_on(Function::ControlSocket);
    let given_up = MembershipError::Refused { group: membership.group, interface, status: STATUS_IO_TIMEOUT };
    assert_eq!(socket.join(&membership, &passive), Err(given_up));
    let held = bench.sitting.take_held();
    assert_eq!(socket.join(&membership, &passive), Err(given_up), "the one before is still out");
    end(held, STATUS_CANCELLED);
    socket.join(&membership, &passive).unwrap();

    // And one that never ends is the close's to wait for.
    bench.sitting.sit_on(Function::ControlSocket);
    assert_eq!(socket.leave(&membership, &passive), Err(given_up));
    let held = bench.sitting.take_held();
    let error = socket.close(Duration::from_millis(50), &passive).unwrap_err();
    assert!(error.outstanding.request, "{error}");
    bench.leave(held, STATUS_CANCELLED);
}
