//! Requests as futures.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use skua_engine::{
    Controlled, DispatchWaker, Family, NoHandler, RequestError, RequestsConfig, SocketBuilder,
};
use skua_hosted::HostConfig;

use super::executor::{Bell, Words, block_on};
use super::{Tcp, any};
use crate::fixture::PATIENCE;

#[test]
fn a_whole_conversation_is_awaited() {
    let tcp = Tcp::new();
    let connections = tcp.connections(2);
    let builder = SocketBuilder::new(Family::Inet);
    let (heard, answer) = block_on(&tcp.requests, async {
        let listener = builder.listen(&tcp.provider, &connections, NoHandler, any()).await?;
        let address = listener.local_address().await?;
        let accept = listener.accept(NoHandler);
        let client = builder.connect(&tcp.provider, &connections, NoHandler, (any(), address)).await?;
        let server = accept.await?;
        client.send(tcp.buffer(b"question")).await?;
        let (heard, _) = server.receive_all(tcp.buffer(b""), 8).await?;
        server.send(tcp.buffer(b"answer")).await?;
        server.disconnect().await?;
        let (answer, _) = client.receive_all(tcp.buffer(b""), 100).await?;
        Ok::<_, RequestError>((heard.to_vec(), answer.to_vec()))
    })
    .unwrap();
    assert_eq!((&*heard, &*answer), (&b"question"[..], &b"answer"[..]));
    drop(connections);
    tcp.finish();
}

#[test]
fn a_waker_that_is_marked_is_called_by_the_completion() {
    static WORD: AtomicBool = AtomicBool::new(false);
    let config = RequestsConfig { wakers: Some(DispatchWaker::of::<Words>()), ..RequestsConfig::default() };
    let tcp = Tcp::with(HostConfig::default(), &config);
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    for round in 0..50_u8 {
        let pending = socket.receive(tcp.buffer(b""));
        let writer = std::thread::spawn(move || {
            peer.write_all(&[round]).unwrap();
            peer
        });
        let (heard, _) = Words::block_on(&WORD, pending).unwrap();
        assert_eq!(&*heard, &[round]);
        peer = writer.join().unwrap();
    }
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_waker_that_is_not_marked_is_called_at_passive_level_only() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let bell = Bell::new(&tcp.kernel);
    let waker = Waker::from(bell.clone());
    let mut context = Context::from_waker(&waker);
    {
        let mut pending = pin!(socket.receive(tcp.buffer(b"")));
        assert!(pending.as_mut().poll(&mut context).is_pending());
        peer.write_all(b"x").unwrap();
        // Over, and nobody has served: neither woken nor ready.
        let until = Instant::now() + PATIENCE;
        while !tcp.wait(socket.receive_backlog()).is_ok_and(|bytes| bytes == 0) {
            assert!(Instant::now() < until);
        }
        let passive = tcp.passive();
        while !bell.take() {
            assert!(Instant::now() < until, "the waker is called by who serves");
            tcp.requests.serve(Duration::from_millis(100), &passive);
        }
        assert_eq!(bell.above_passive(), 0);
        let Poll::Ready(Ok((heard, 1))) = pending.as_mut().poll(&mut context) else {
            panic!("woken, hence ready")
        };
        assert_eq!(&*heard, b"x");
    }
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn the_last_waker_that_polled_is_called() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let bells = [Bell::new(&tcp.kernel), Bell::new(&tcp.kernel)];
    {
        let mut pending = pin!(socket.receive(tcp.buffer(b"")));
        for bell in &bells {
            let waker = Waker::from(bell.clone());
            assert!(pending.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        peer.write_all(b"x").unwrap();
        let passive = tcp.passive();
        let until = Instant::now() + PATIENCE;
        while !bells[1].take() {
            assert!(Instant::now() < until);
            tcp.requests.serve(Duration::from_millis(100), &passive);
        }
        assert!(!bells[0].take(), "a waker that was replaced is not called");
        // Another waker may take the result.
        let waker = Waker::noop();
        assert!(pending.as_mut().poll(&mut Context::from_waker(waker)).is_ready());
    }
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_request_that_was_polled_may_be_waited_for() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    for _ in 0..50 {
        let mut pending = socket.receive(tcp.buffer(b""));
        let bell = Bell::new(&tcp.kernel);
        let waker = Waker::from(bell);
        let _ = std::pin::Pin::new(&mut pending).poll(&mut Context::from_waker(&waker));
        peer.write_all(b"x").unwrap();
        let (heard, _) = tcp.wait(pending).unwrap();
        assert_eq!(&*heard, b"x");
    }
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

/// Polls a receive, lets data come at the same moment as the drop; whoever wins, nothing is left.
#[test]
fn a_dropped_future_leaves_nothing_wherever_its_completion_is() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let waker = Waker::from(Bell::new(&tcp.kernel));
    for round in 0..300 {
        let mut pending = socket.receive(tcp.buffer(b""));
        if round % 2 == 0 {
            let _ = std::pin::Pin::new(&mut pending).poll(&mut Context::from_waker(&waker));
        }
        let writer = std::thread::spawn(move || {
            peer.write_all(b"x").unwrap();
            peer
        });
        if round % 3 == 0 {
            std::thread::yield_now();
        }
        drop(pending);
        peer = writer.join().unwrap();
    }
    tcp.close(socket);
    drop(connections);
    tcp.finish();
}

#[test]
fn dropping_an_accept_or_a_connect_closes_what_would_have_come_of_it() {
    let mut tcp = Tcp::new();
    let connections = tcp.connections(2);
    let (listener, address) = tcp.listen(&connections, NoHandler);
    for _ in 0..100 {
        let accept = listener.accept(NoHandler);
        let connecting = std::thread::spawn(move || TcpStream::connect(address).unwrap());
        std::thread::yield_now();
        drop(accept);
        drop(connecting.join().unwrap());
        let builder = SocketBuilder::new(Family::Inet);
        let made = builder.connection_socket(&tcp.provider, &connections, NoHandler);
        drop(made);
        let until = Instant::now() + PATIENCE;
        let passive = skua_engine::Passive::acquire(&tcp.kernel).unwrap();
        while tcp.registration.reap(&passive).is_some() {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
    }
    tcp.stop(listener);
    drop(connections);
    tcp.finish();
}

#[test]
fn a_callback_runs_with_the_result_wherever_the_completion_is() {
    let tcp = Tcp::new();
    let connections = tcp.connections(1);
    let (socket, mut peer) = tcp.pair(&connections, NoHandler);
    let (told, results) = std::sync::mpsc::channel();
    for round in 0..100_u8 {
        let told = told.clone();
        socket.receive(tcp.buffer(b"")).on_completion(move |result| {
            let _ = told.send(result.map(|(heard, _)| heard.to_vec()));
        });
        peer.write_all(&[round]).unwrap();
        assert_eq!(results.recv_timeout(PATIENCE).unwrap().unwrap(), [round]);
    }
    let last = told.clone();
    socket.receive(tcp.buffer(b"")).on_completion(move |result| {
        let _ = last.send(result.map(|(heard, _)| heard.to_vec()));
    });
    tcp.close(socket);
    let ended = results.recv_timeout(PATIENCE).unwrap();
    assert_eq!(ended, Err(RequestError::Cancelled { call: "WskReceive" }));
    // One that fails before it begins calls back as well.
    let none: Vec<_> = std::iter::from_fn(|| tcp.requests.take()).collect();
    let builder = SocketBuilder::new(Family::Inet);
    builder.connection_socket(&tcp.provider, &connections, NoHandler).on_completion(move |result| {
        let _ = told.send(Err(result.err().unwrap()));
    });
    assert_eq!(results.recv_timeout(PATIENCE).unwrap(), Err(RequestError::NoSlot));
    drop(none);
    drop(connections);
    tcp.finish();
}

#[test]
fn many_tasks_share_the_slots_of_one_pool() {
    let tcp = Tcp::new();
    let connections = tcp.connections(8);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        let peers: Vec<_> = (0..8).map(|_| listener.accept().unwrap().0).collect();
        let echoes = peers.into_iter().map(|mut peer| {
            std::thread::spawn(move || {
                let mut bytes = [0; 512];
                while let Ok(length @ 1..) = peer.read(&mut bytes) {
                    peer.write_all(&bytes[..length]).unwrap();
                }
            })
        });
        echoes.collect::<Vec<_>>().into_iter().for_each(|echo| echo.join().unwrap());
    });
    let sockets: Vec<_> = (0..8).map(|_| tcp.connect(&connections, NoHandler, to)).collect();
    let tasks = sockets.iter().enumerate().map(|(at, socket)| async move {
        for round in 0..20_usize {
            let sent = [u8::try_from(at * 20 + round).unwrap(); 100];
            let (buffer, _) = socket.send(tcp_buffer(socket, &sent)).await?;
            let (heard, _) = socket.receive_all(buffer, 100).await?;
            assert_eq!(*heard, sent);
        }
        Ok::<_, RequestError>(())
    });
    let mut tasks: Vec<_> = tasks.map(|task| Some(Box::pin(task))).collect();
    let all = std::future::poll_fn(|context| {
        for slot in &mut tasks {
            if let Some(task) = slot
                && let Poll::Ready(ended) = task.as_mut().poll(context)
            {
                ended.unwrap();
                *slot = None;
            }
        }
        if tasks.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    });
    fn tcp_buffer(socket: &super::Connection, bytes: &[u8]) -> skua_engine::Buffer<skua_hosted::HostKernel> {
        let mut buffer = socket.requests().take().unwrap();
        buffer.fill(bytes);
        buffer
    }
    block_on(&tcp.requests, all);
    drop(tasks);
    for socket in sockets {
        tcp.close(socket);
    }
    echo.join().unwrap();
    drop(connections);
    tcp.finish();
}
