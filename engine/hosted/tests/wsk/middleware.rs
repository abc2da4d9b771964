//! The layer between clients and the provider: what a middleware sees and can do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use skua_engine::Kernel;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_FILE_FORCED_CLOSED, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::WSK_EVENT_RECEIVE_FROM;
use skua_hosted::middleware::mutation::Mutation;
use skua_hosted::middleware::quirk::Quirk;
use skua_hosted::middleware::{Call, Completion, Event, Function, Held, Layer, LayeredSocket, Middleware};
use skua_hosted::{HostConfig, HostKernel, ProviderConfig};

use crate::raw::socket::{Socket, Target};
use crate::raw::stream::Stream;
use crate::raw::{Client, Irp, LOCALHOST, check, eventually, with};

fn behind(middleware: Vec<Arc<dyn Middleware>>) -> HostKernel {
    with(ProviderConfig { middleware, ..ProviderConfig::default() })
}

/// The same without verifier, which keeps closed sockets too, and answers for them.
fn behind_alone(middleware: Vec<Arc<dyn Middleware>>) -> HostKernel {
    let provider = ProviderConfig { middleware, ..ProviderConfig::default() };
    HostKernel::new(HostConfig { processors: 2, provider, ..HostConfig::default() }.unverified())
}

/// Notes what passes, in a list that several share.
#[derive(Debug)]
struct Scribe {
    name: char,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Scribe {
    fn note(&self, what: &str) {
        self.notes.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

impl Middleware for Scribe {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        self.note(&format!("calls {}", call.function()));
        let status = call.pass();
        self.note(&format!("returns {}", call.function()));
        status
    }

    fn complete(&self, completion: Completion) {
        self.note(&format!("completes {}", completion.function()));
        completion.pass();
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        self.note(&format!("indicates {}", event.function()));
        event.pass()
    }
}

#[test]
fn calls_go_down_and_completions_and_events_come_up_in_order() {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let scribe = |name| -> Arc<dyn Middleware> { Arc::new(Scribe { name, notes: Arc::clone(&notes) }) };
    let kernel = behind(vec![scribe('a'), scribe('b')]);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    notes.lock().unwrap().clear();
    assert_eq!(socket.bind(LOCALHOST), STATUS_SUCCESS);
    let whole = ["a calls", "b calls", "b completes", "a completes", "b returns", "a returns"];
    assert_eq!(*notes.lock().unwrap(), whole.map(|note| format!("{note} WskBind")));
    assert_eq!(socket.set_event(WSK_EVENT_RECEIVE_FROM, std::ptr::null_mut()), STATUS_SUCCESS);
    notes.lock().unwrap().clear();
    let peer = std::net::UdpSocket::bind(LOCALHOST).unwrap();
    peer.send_to(b"up", socket.local()).unwrap();
    socket.recorder.wait_for(1);
    let events: Vec<_> =
        notes.lock().unwrap().iter().filter(|note| note.contains("Event")).cloned().collect();
    assert_eq!(events, ["b indicates WskReceiveFromEvent", "a indicates WskReceiveFromEvent"]);
    socket.close();
    client.end();
}

/// Does one thing to each call of one function.
#[derive(Debug)]
struct Does {
    to: Function,
    what: What,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
enum What {
    Complete(NTSTATUS),
    Abandon(NTSTATUS),
    Hold,
}

impl Does {
    fn new(to: Function, what: What) -> Arc<Self> {
        Arc::new(Self { to, what, held: Mutex::new(None) })
    }
}

impl Middleware for Does {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        if call.function() != self.to {
            return call.pass();
        }
        match self.what {
            What::Complete(status) => call.complete(status, 0),
            What::Abandon(status) => call.abandon(status),
            What::Hold => {
                let (held, pending) = call.hold().unwrap();
                *self.held.lock().unwrap() = Some(held);
                pending
            }
        }
    }
}

#[test]
fn a_call_that_is_answered_does_not_reach_the_provider() {
    let kernel = behind(vec![Does::new(Function::Bind, What::Complete(STATUS_INSUFFICIENT_RESOURCES))]);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    assert_eq!(socket.bind(LOCALHOST), STATUS_INSUFFICIENT_RESOURCES);
    assert!(socket.local_address().is_err(), "it is not bound");
    socket.close();
    client.end();
}

#[test]
fn a_packet_that_is_abandoned_comes_back_as_it_went() {
    let kernel = behind(vec![Does::new(Function::Bind, What::Abandon(STATUS_NOT_SUPPORTED))]);
    let client = Client::new(&kernel);
    let socket = Socket::open(&client, true);
    let mut irp = Irp::new(&kernel);
    let mut local = skua_engine::abi::sockaddr::SOCKADDR_INET::from(LOCALHOST);
    let bind = socket.table().WskBind.unwrap();
    // SAFETY: a live socket and address.
    let status = unsafe { bind(socket.raw, local.as_mut_ptr(), 0, irp.raw()) };
    assert_eq!(status, STATUS_NOT_SUPPORTED);
    assert!(!irp.is_complete());
    assert_eq!(kernel.outstanding().irps, 0);
    // IoReuseIrp panics for a packet that a driver has.
    irp.reuse();
    socket.close();
    client.end();
}

#[test]
fn a_call_that_is_held_pends_until_it_is_passed_on() {
    let holds = Does::new(Function::GetLocalAddress, What::Hold);
    let kernel = behind(vec![holds.clone()]);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let mut local = skua_engine::abi::sockaddr::SOCKADDR_INET::UNSPEC;
    let mut irp = Irp::new(&kernel);
    let get = socket.table().WskGetLocalAddress.unwrap();
    // SAFETY: a live socket and address.
    let status = unsafe { get(socket.raw, local.as_mut_ptr(), irp.raw()) };
    assert_eq!(status, STATUS_PENDING);
    assert_eq!((irp.is_complete(), kernel.outstanding().irps), (false, 1));
    let held = holds.held.lock().unwrap().take().unwrap();
    std::thread::spawn(move || held.pass()).join().unwrap();
    check(status, irp.wait());
    assert_ne!(local.to_socket_addr().unwrap().port(), 0);
    socket.close();
    client.end();
}

#[test]
fn a_cancellation_goes_down_wherever_the_call_is() {
    let kernel = behind_alone(vec![Arc::new(Keeps)]);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    for before in [true, false] {
        let mut irp = Irp::new(&kernel);
        let mut target = Target::new(&kernel, &[16]);
        if before {
            assert!(!irp.cancel(), "nobody has it");
        }
        let status = socket.receive_from(&mut target, irp.raw());
        if !before {
            assert_eq!(status, STATUS_PENDING);
            assert!(irp.cancel());
        }
        check(status, irp.wait());
        assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    }
    socket.close();
    client.end();
}

/// Keeps closed sockets in memory.
#[derive(Debug)]
struct Keeps;

impl Middleware for Keeps {
    fn keeps_closed_sockets(&self) -> bool {
        true
    }
}

#[test]
fn a_closed_socket_that_is_kept_answers_that_it_is_closed() {
    let kernel = behind_alone(vec![Arc::new(Keeps)]);
    let client = Client::new(&kernel);
    let socket = Socket::bound(&client, LOCALHOST);
    let (raw, bind) = (socket.raw, socket.table().WskBind.unwrap());
    socket.close();
    let mut local = skua_engine::abi::sockaddr::SOCKADDR_INET::from(LOCALHOST);
    // SAFETY: the socket is kept.
    let (status, _) = Irp::new(&kernel).run(|irp| unsafe { bind(raw, local.as_mut_ptr(), 0, irp) });
    assert_eq!(status, STATUS_FILE_FORCED_CLOSED);
    client.end();
}

/// Remembers every socket, without keeping it.
#[derive(Debug, Default)]
struct Census(Mutex<Vec<Weak<LayeredSocket>>>);

impl Middleware for Census {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        if let Some(socket) = call.socket() {
            self.0.lock().unwrap().push(Arc::downgrade(socket));
        }
        call.pass()
    }
}

#[test]
fn a_socket_of_the_layer_lives_as_long_as_the_one_below() {
    let census = Arc::new(Census::default());
    let kernel = behind_alone(vec![census.clone()]);
    let client = Client::new(&kernel);
    // Listening, accepted, connected, and datagram.
    let listener = Stream::listening(&client);
    let mut peer = std::net::TcpStream::connect(listener.listens_at()).unwrap();
    let accepted = listener.accept();
    assert_eq!(accepted.send(&[b"over"], 0), (STATUS_SUCCESS, 4));
    let mut bytes = [0; 4];
    std::io::Read::read_exact(&mut peer, &mut bytes).unwrap();
    assert_eq!(&bytes, b"over");
    let datagram = Socket::bound(&client, LOCALHOST);
    assert!(census.0.lock().unwrap().iter().all(|socket| socket.upgrade().is_some()));
    accepted.close();
    listener.close();
    datagram.close();
    // The thread that completed a close may still be on its way out of it.
    let are_gone = || census.0.lock().unwrap().iter().all(|socket| socket.upgrade().is_none());
    eventually("the sockets remain", are_gone);
    client.end();
}

/// Counts calls.
#[derive(Debug, Default)]
struct Counts(AtomicUsize);

impl Middleware for Counts {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        self.0.fetch_add(1, Ordering::Relaxed);
        call.pass()
    }
}

#[test]
fn a_layer_stands_over_any_provider_also_another_layer() {
    let (outer, inner) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
    let kernel = behind(vec![inner.clone()]);
    let mut client = Client::new(&kernel);
    // SAFETY: captured, and used through the outer layer only.
    let layer = unsafe { Layer::over(&kernel, client.npi, vec![outer.clone()]) };
    client.npi = layer.npi();
    let socket = Socket::bound(&client, LOCALHOST);
    let mut irp = Irp::new(&kernel);
    let mut target = Target::new(&kernel, &[16]);
    assert_eq!(socket.receive_from(&mut target, irp.raw()), STATUS_PENDING);
    // SAFETY: the packet is at the provider.
    assert!(unsafe { kernel.io_cancel_irp(irp.raw()) });
    assert_eq!(irp.wait().status, Some(STATUS_CANCELLED));
    socket.close();
    layer.run_down();
    client.end();
    let seen = |counts: &Counts| counts.0.load(Ordering::Relaxed);
    assert_eq!((seen(&outer), seen(&inner)), (4, 4), "created, bound, received, closed");
}

#[test]
fn mutations_and_quirks_have_names_of_their_own() {
    let mut names = std::collections::HashSet::new();
    for mutation in Mutation::all() {
        assert!(names.insert(mutation.to_string()), "two mutations are called {mutation}");
    }
    println!("{} mutations", names.len());
    for quirk in Quirk::ALL {
        assert!(names.insert(quirk.to_string()), "two quirks are called {quirk}");
    }
}
