//! The same conversation with a provider of every quirk.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::Poll;
use std::time::Duration;

use skua_engine::{
    ConnectionEvents, ConnectionHandler, Controlled, Family, Finish, Indication, NoHandler, Pending,
    RequestError, RequestsConfig, SocketBuilder, Verdict,
};
use skua_hosted::middleware::Function;
use skua_hosted::middleware::quirk::Quirk;
use skua_hosted::{HostConfig, HostKernel, ProviderConfig};

use super::executor::block_on;
use super::{Connection, Tcp, any};
use crate::fixture::PATIENCE;

fn quirky(quirk: Quirk) -> Tcp {
    let provider = ProviderConfig { middleware: vec![quirk.middleware()], ..ProviderConfig::default() };
    let mut config = HostConfig { provider, ..HostConfig::default() };
    if !quirk.is_documented() {
        config.verifier = None;
    }
    Tcp::with(config, &RequestsConfig::default())
}

/// Sends back what it is indicated, a half at a time.
struct Halves(skua_engine::Requests<HostKernel>);

impl ConnectionHandler<HostKernel> for Halves {
    const EVENTS: ConnectionEvents = ConnectionEvents { receive: true, disconnect: true, send_backlog: true };

    fn receive<'a>(&self, socket: &Connection<Self>, data: Indication<'a, HostKernel>) -> Verdict<'a> {
        let half = data.len().div_ceil(2);
        let mut buffer = self.0.take().expect("a slot");
        let mut readable = true;
        buffer.fill_with(|all| match data.copy_to(0, &mut all[..half]) {
            Ok(bytes) => bytes,
            Err(_) => {
                readable = false;
                0
            }
        });
        assert!(readable && buffer.len() == half);
        socket.send(buffer).on_completion(drop);
        if half == data.len() {
            return data.consume();
        }
        let verdict = data.consume_part(half);
        socket.rearm().on_completion(drop);
        verdict
    }
}

#[test]
fn requests_and_events_survive_every_quirk() {
    let quirks = Quirk::ALL.iter().filter(|quirk| !matches!(quirk, Quirk::Dying { .. }));
    for &quirk in quirks {
        let tcp = quirky(quirk);
        let connections = tcp.connections(2);
        let (listener, address) = tcp.listen(&connections, NoHandler);
        let accept = listener.accept(NoHandler);
        let mut peer = TcpStream::connect(address).unwrap();
        let socket = tcp.wait(accept).unwrap();
        peer.write_all(b"a question").unwrap();
        let (heard, _) = block_on(&tcp.requests, socket.receive_all(tcp.buffer(b""), 10)).unwrap();
        assert_eq!(&*heard, b"a question", "{quirk}");
        let (_, bytes) = tcp.wait(socket.send(heard)).unwrap();
        assert_eq!(bytes, 10, "{quirk}");
        let mut back = [0; 10];
        peer.read_exact(&mut back).unwrap();
        let late = socket.receive(tcp.buffer(b"")).wait(Duration::from_millis(1), &tcp.passive());
        assert!(late.is_err(), "{quirk}");
        let (ended, done) = channel();
        socket.drain().on_completion(move |result| {
            let _ = ended.send(result);
        });
        peer.shutdown(Shutdown::Write).unwrap();
        done.recv_timeout(PATIENCE).unwrap().unwrap();
        tcp.wait(socket.disconnect()).unwrap();
        tcp.close(socket);
        tcp.stop(listener);
        drop(connections);
        let connections = tcp.connections(1);
        let (socket, mut peer) = tcp.pair(&connections, Halves(tcp.requests.clone()));
        let sent: Vec<u8> = (0..5000_u32).map(|at| (at % 253) as u8).collect();
        peer.write_all(&sent).unwrap();
        let mut back = vec![0; sent.len()];
        peer.read_exact(&mut back).unwrap();
        assert!(back == sent, "{quirk}");
        tcp.close(socket);
        drop(connections);
        tcp.finish();
    }
}

#[test]
fn a_function_that_is_refused_without_completing_gives_its_slot_back() {
    let functions = [
        Function::Socket,
        Function::Bind,
        Function::Accept,
        Function::Connect,
        Function::Receive,
        Function::Send,
        Function::Disconnect,
        Function::GetLocalAddress,
        Function::ControlSocket,
    ];
    for function in functions {
        let tcp = quirky(Quirk::Unsupported(function));
        let connections = tcp.connections(2);
        let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = peer.local_addr().unwrap();
        let refused = block_on(&tcp.requests, async {
            let builder = SocketBuilder::new(Family::Inet);
            let listener = builder.listen(&tcp.provider, &connections, NoHandler, any()).await?;
            let mut accept = listener.accept(NoHandler);
            is_not_refused(&mut accept).await?;
            let client = builder.connect(&tcp.provider, &connections, NoHandler, (any(), to));
            let client = client.await?;
            client.local_address().await?;
            client.send(tcp.buffer(b"x")).await?;
            client.set_option(0xffff, 8, 1_u32).await?;
            client.disconnect().await?;
            let mut receive = client.receive(tcp.buffer(b""));
            is_not_refused(&mut receive).await
        });
        let error = refused.unwrap_err();
        assert!(matches!(error, RequestError::Refused { .. }), "{function:?}: {error}");
        drop(connections);
        tcp.finish();
    }
}

/// Looks at a request once.
async fn is_not_refused<T: Finish<HostKernel>>(
    request: &mut Pending<HostKernel, T>,
) -> Result<(), RequestError> {
    std::future::poll_fn(|context| {
        Poll::Ready(match Pin::new(&mut *request).poll(context) {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        })
    })
    .await
}

#[test]
fn a_socket_that_dies_answers_so_and_can_be_closed() {
    let tcp = quirky(Quirk::Dying { after: 1 });
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, Halves(tcp.requests.clone()));
    let waiting = socket.receive_all(tcp.buffer(b""), 1 << 10);
    let until = std::time::Instant::now() + PATIENCE;
    while !socket.is_dead() {
        assert!(std::time::Instant::now() < until, "it dies at its second callback");
        let _dead_or_not = peer.write_all(b"more");
        let _rearmed_or_dead = tcp.wait(socket.rearm());
        std::thread::sleep(Duration::from_millis(1));
        if !waiting.is_over() {
            waiting.cancel();
        }
    }
    drop(waiting);
    assert!(tcp.wait(socket.send(tcp.buffer(b"x"))).is_err());
    assert!(tcp.wait(socket.local_address()).is_err());
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}
