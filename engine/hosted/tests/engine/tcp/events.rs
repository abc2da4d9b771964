//! The events of a connection: data, its verdicts, and the end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use skua_engine::{
    Acceptance, Arriving, ConnectionEvents, ConnectionHandler, EndOfStream, Indication, ListenHandler,
    RetainedData, Verdict,
};
use skua_hosted::HostKernel;

use super::{Connection, Tcp};
use crate::fixture::PATIENCE;

/// What a [`Listening`] handler does with data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Policy {
    Consume,
    /// At most so many bytes at once.
    Part(usize),
    Refuse,
    Retain,
    /// Sends it back.
    Echo,
}

enum Heard {
    Data(Vec<u8>),
    Kept(RetainedData<HostKernel>),
    End(EndOfStream),
}

#[derive(Clone)]
struct Ear {
    policy: Arc<Mutex<Policy>>,
    heard: Sender<Heard>,
    requests: skua_engine::Requests<HostKernel>,
}

impl ConnectionHandler<HostKernel> for Ear {
    const EVENTS: ConnectionEvents =
        ConnectionEvents { receive: true, disconnect: true, send_backlog: false };

    fn receive<'a>(&self, socket: &Connection<Self>, data: Indication<'a, HostKernel>) -> Verdict<'a> {
        let mut bytes = vec![0; data.len()];
        assert_eq!(data.copy_to(0, &mut bytes), Ok(bytes.len()));
        let pieces: usize = data.payloads().map(|piece| piece.unwrap().len()).sum();
        assert_eq!(pieces, bytes.len());
        if let Some(half) = bytes.len().checked_div(2) {
            let mut rest = vec![0; bytes.len()];
            assert_eq!(data.copy_to(half, &mut rest), Ok(bytes.len() - half));
            assert_eq!(rest[..bytes.len() - half], bytes[half..]);
        }
        match *self.policy.lock().unwrap() {
            Policy::Consume => {
                let _ = self.heard.send(Heard::Data(bytes));
                data.consume()
            }
            Policy::Part(limit) => {
                bytes.truncate(limit);
                let taken = bytes.len();
                let _ = self.heard.send(Heard::Data(bytes));
                data.consume_part(taken)
            }
            Policy::Refuse => data.refuse(),
            Policy::Retain => {
                let (verdict, kept) = data.retain();
                if let Some(kept) = kept {
                    let _ = self.heard.send(Heard::Kept(kept));
                }
                verdict
            }
            Policy::Echo => {
                for chunk in bytes.chunks(1000) {
                    let mut buffer = self.requests.take().expect("a slot");
                    buffer.fill(chunk);
                    socket.send(buffer).on_completion(drop);
                }
                data.consume()
            }
        }
    }

    fn disconnect(&self, _socket: &Connection<Self>, how: EndOfStream) {
        let _ = self.heard.send(Heard::End(how));
    }
}

/// Accepts with ears.
struct Hall {
    ear: Ear,
    accepted: Sender<Connection<Ear>>,
}

impl ListenHandler<HostKernel> for Hall {
    type Connection = Ear;
    const ACCEPTS: bool = true;

    fn accept<'a>(&self, arriving: Arriving<'a, HostKernel, Ear>) -> Acceptance<'a> {
        match arriving.accept(self.ear.clone()) {
            Ok((acceptance, socket)) => {
                let _ = self.accepted.send(socket);
                acceptance
            }
            Err((refusal, _ear)) => refusal,
        }
    }
}

fn ear(tcp: &Tcp, policy: Policy) -> (Ear, std::sync::mpsc::Receiver<Heard>) {
    let (heard, hear) = channel();
    (Ear { policy: Arc::new(Mutex::new(policy)), heard, requests: tcp.requests.clone() }, hear)
}

/// The next `bytes` bytes of data.
fn data(hear: &std::sync::mpsc::Receiver<Heard>, bytes: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < bytes {
        match hear.recv_timeout(PATIENCE).expect("data comes") {
            Heard::Data(more) => all.extend(more),
            Heard::Kept(kept) => {
                let mut more = vec![0; kept.len()];
                assert_eq!(kept.copy_to(0, &mut more), Ok(more.len()));
                all.extend(more);
            }
            Heard::End(how) => panic!("{how:?} after {} bytes", all.len()),
        }
    }
    all
}

#[test]
fn data_is_consumed_and_the_end_is_told() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (ear, hear) = ear(&tcp, Policy::Consume);
    let (socket, mut peer) = tcp.pair(&connections, ear);
    peer.write_all(b"one two three").unwrap();
    assert_eq!(data(&hear, 13), b"one two three");
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(hear.recv_timeout(PATIENCE), Ok(Heard::End(EndOfStream::Graceful))));
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_reset_is_told() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (ear, hear) = ear(&tcp, Policy::Consume);
    let (socket, peer) = tcp.pair(&connections, ear);
    // Closed with data that it has not read: a reset.
    tcp.wait(socket.send(tcp.buffer(b"unread"))).unwrap();
    drop(peer);
    assert!(matches!(hear.recv_timeout(PATIENCE), Ok(Heard::End(_))));
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_part_is_taken_and_the_rest_comes_again_when_rearmed() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (ear, hear) = ear(&tcp, Policy::Part(4));
    let (socket, mut peer) = tcp.pair(&connections, ear);
    peer.write_all(b"abcdefghij").unwrap();
    let mut all = Vec::new();
    while all.len() < 10 {
        all.extend(data(&hear, 1));
        tcp.wait(socket.rearm()).unwrap();
    }
    assert_eq!(all, b"abcdefghij");
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn refused_data_waits_for_a_request() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (ear, hear) = ear(&tcp, Policy::Refuse);
    let policy = ear.policy.clone();
    let (socket, mut peer) = tcp.pair(&connections, ear);
    peer.write_all(b"later").unwrap();
    let (heard, _) = tcp.wait(socket.receive_all(tcp.buffer(b""), 5)).unwrap();
    assert_eq!(&*heard, b"later");
    drop(heard);
    *policy.lock().unwrap() = Policy::Consume;
    tcp.wait(socket.rearm()).unwrap();
    peer.write_all(b"now").unwrap();
    assert_eq!(data(&hear, 3), b"now");
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn retained_data_outlives_the_callback_and_holds_the_close_up() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (ear, hear) = ear(&tcp, Policy::Retain);
    let (socket, mut peer) = tcp.pair(&connections, ear);
    peer.write_all(b"kept").unwrap();
    let Ok(Heard::Kept(kept)) = hear.recv_timeout(PATIENCE) else { panic!("it is kept") };
    let error = socket.close(std::time::Duration::from_millis(1), &tcp.passive()).unwrap_err();
    assert_eq!(error.outstanding.inside, 1);
    assert!(!error.outstanding.closing);
    let mut bytes = [0; 4];
    assert_eq!(kept.copy_to(0, &mut bytes), Ok(4));
    assert_eq!(&bytes, b"kept");
    drop(kept);
    drop(connections);
    tcp.finish();
}

#[test]
fn an_accepted_connection_echoes_from_its_receive_event() {
    let tcp = Tcp::new();
    let connections = tcp.connections(2);
    let (ear, hear) = ear(&tcp, Policy::Echo);
    let (accepted, sockets) = channel();
    let (listener, address) = tcp.listen(&connections, Hall { ear, accepted });
    let mut peer = TcpStream::connect(address).unwrap();
    let socket = sockets.recv_timeout(PATIENCE).unwrap();
    let sent: Vec<u8> = (0..20_000_u32).map(|at| (at % 251) as u8).collect();
    for part in sent.chunks(5_000) {
        peer.write_all(part).unwrap();
        let mut back = vec![0; part.len()];
        peer.read_exact(&mut back).unwrap();
        assert_eq!(back, part);
    }
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(hear.recv_timeout(PATIENCE), Ok(Heard::End(EndOfStream::Graceful))));
    tcp.close(socket);
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}
