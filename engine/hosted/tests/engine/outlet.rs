//! A handler sends from inside its callbacks, through a socket that is taken back before it is closed.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use skua_engine::{
    Batch, Config, DatagramSocket, DeregisterError, Engine, Handler, Kernel, Outlet, Passive, SendOptions,
    SocketOptions,
};
use skua_hosted::{HostConfig, HostKernel};

use crate::fixture::{Client, PATIENCE};

/// Sends each datagram back, through its outlet, and waits inside if it is told to.
struct Echo<K: Kernel> {
    outlet: Outlet<K, Self>,
    /// Each callback says that it is in the outlet, and waits there until it is let go.
    gate: Option<Gate>,
}

struct Gate {
    inside: Sender<()>,
    go: Mutex<Receiver<()>>,
}

impl<K: Kernel> Handler<K> for Echo<K> {
    type Shard = ();

    fn shard(&self, _processor: u32, _passive: &Passive<'_>) {}

    fn receive(&self, (): &mut (), batch: &mut Batch<'_, K>) {
        while let Some(datagram) = batch.next_datagram() {
            let remote = SocketAddr::from(datagram.remote());
            let mut bytes = [0; 64];
            let length = datagram.payload().copy_to(&mut bytes);
            let _sent = self.outlet.with(|socket| {
                if let Some(Gate { inside, go }) = &self.gate {
                    inside.send(()).unwrap();
                    go.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                }
                socket.send(remote, &bytes[..length], &SendOptions::default())
            });
        }
    }
}

type EchoEngine = Engine<HostKernel, Echo<HostKernel>>;
type EchoSocket = DatagramSocket<HostKernel, Echo<HostKernel>>;

fn open(client: &Client, gate: Option<Gate>) -> EchoEngine {
    let passive = Passive::acquire(&client.kernel).unwrap();
    let outlet = Outlet::new(&client.kernel, &passive).unwrap();
    let config = Config { send_slots: 4, send_bytes: 64, ..Config::default() };
    Engine::open(client.kernel.clone(), Echo { outlet, gate }, &config, &passive).unwrap()
}

fn socket(client: &Client, engine: &EchoEngine) -> EchoSocket {
    let passive = Passive::acquire(&client.kernel).unwrap();
    let options = SocketOptions::new("127.0.0.1:0".parse().unwrap());
    engine.open_socket(&client.provider, &options, &passive).unwrap()
}

fn connect(engine: &EchoEngine, socket: EchoSocket) {
    assert!(engine.handler().outlet.connect(socket).is_ok());
}

fn take(client: &Client, engine: &EchoEngine) -> Option<EchoSocket> {
    let passive = Passive::acquire(&client.kernel).unwrap();
    engine.handler().outlet.take(PATIENCE, &passive).unwrap()
}

fn close(client: &Client, socket: EchoSocket) {
    socket.close(PATIENCE, &Passive::acquire(&client.kernel).unwrap()).unwrap();
}

fn peer(to: SocketAddr) -> UdpSocket {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.connect(to).unwrap();
    peer
}

#[test]
fn a_handler_sends_through_its_outlet_until_the_socket_is_taken_back() {
    let client = Client::new(HostConfig::default());
    let engine = open(&client, None);
    let socket = socket(&client, &engine);
    let peer = peer(socket.local_address());
    connect(&engine, socket);
    let mut bytes = [0; 64];
    for payload in [&b"one"[..], b"", b"three"] {
        peer.send(payload).unwrap();
        let length = peer.recv(&mut bytes).expect("an echo comes");
        assert_eq!(&bytes[..length], payload);
    }
    let socket = take(&client, &engine).expect("the socket comes back");
    assert!(engine.handler().outlet.with(|_| ()).is_none());
    assert!(take(&client, &engine).is_none(), "it comes back once");
    // It still receives, and nobody answers.
    peer.send(b"four").unwrap();
    close(&client, socket);
    let stats = engine.stats();
    assert_eq!(stats.sends_completed, 3, "{stats:?}");
    drop(engine);
    client.finish();
}

#[test]
fn an_outlet_takes_one_socket_in_its_life() {
    let client = Client::new(HostConfig::default());
    let engine = open(&client, None);
    assert!(engine.handler().outlet.with(|_| ()).is_none(), "there is none yet");
    connect(&engine, socket(&client, &engine));
    let second = engine.handler().outlet.connect(socket(&client, &engine)).expect_err("there is one");
    close(&client, second);
    close(&client, take(&client, &engine).expect("the first"));
    let late = engine.handler().outlet.connect(socket(&client, &engine)).expect_err("there was one");
    close(&client, late);

    let never = open(&client, None);
    assert!(take(&client, &never).is_none());
    let late = never.handler().outlet.connect(socket(&client, &never)).expect_err("it was asked back");
    close(&client, late);
    drop((engine, never));
    client.finish();
}

#[test]
fn taking_waits_for_who_is_inside_and_no_longer_than_it_was_told() {
    let client = Client::new(HostConfig::default());
    let (inside, is_inside) = channel();
    let (go, wait) = channel();
    let engine = open(&client, Some(Gate { inside, go: Mutex::new(wait) }));
    let socket = socket(&client, &engine);
    let peer = peer(socket.local_address());
    connect(&engine, socket);
    peer.send(b"held").unwrap();
    is_inside.recv_timeout(PATIENCE).unwrap();
    let passive = Passive::acquire(&client.kernel).unwrap();
    let outlet = &engine.handler().outlet;
    let busy = outlet.take(Duration::from_millis(1), &passive).err().expect("a callback is inside");
    assert_eq!(busy.inside, 1);
    // Nobody else gets in from now on, and who is inside still sends.
    go.send(()).unwrap();
    let socket = outlet.take(PATIENCE, &passive).unwrap().expect("the socket comes back");
    let mut bytes = [0; 64];
    assert_eq!(peer.recv(&mut bytes).unwrap(), 4);
    close(&client, socket);
    drop(engine);
    client.finish();
}

#[test]
fn a_socket_that_is_left_in_an_outlet_keeps_the_registration_open() {
    let client = Client::new(HostConfig::default());
    let engine = open(&client, None);
    connect(&engine, socket(&client, &engine));
    let Client { kernel, registration, provider } = client;
    drop(provider);
    let passive = Passive::acquire(&kernel).unwrap();
    let Err(DeregisterError::InUse { sockets: 1, registration, .. }) = registration.close(PATIENCE, &passive)
    else {
        panic!("a socket is open")
    };
    let socket = engine.handler().outlet.take(PATIENCE, &passive).unwrap().unwrap();
    socket.close(PATIENCE, &passive).unwrap();
    registration.close(PATIENCE, &passive).unwrap();
    drop(engine);
    assert!(kernel.outstanding().is_empty());
}

#[test]
fn a_socket_that_is_put_in_while_it_is_asked_back_does_not_stay() {
    let client = Client::new(HostConfig::default());
    let engine = open(&client, None);
    let mut next = Some(socket(&client, &engine));
    for _ in 0..2000 {
        let outlet = Outlet::<HostKernel, Echo<HostKernel>>::new(
            &client.kernel,
            &Passive::acquire(&client.kernel).unwrap(),
        );
        let (outlet, socket) = (outlet.unwrap(), next.take().unwrap());
        let (refused, taken) = std::thread::scope(|scope| {
            let connecting = scope.spawn(|| outlet.connect(socket).err());
            let passive = Passive::acquire(&client.kernel).unwrap();
            let taken = loop {
                if let Ok(taken) = outlet.take(Duration::ZERO, &passive) {
                    break taken;
                }
            };
            (connecting.join().unwrap(), taken)
        });
        assert_eq!(refused.is_some(), taken.is_none());
        next = refused.or(taken);
    }
    close(&client, next.unwrap());
    drop(engine);
    client.finish();
}
