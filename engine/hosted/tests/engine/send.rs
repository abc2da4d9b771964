//! Sends reach receivers that are not ours, and every context comes back.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use skua_engine::abi::status::STATUS_NOT_SUPPORTED;
use skua_engine::{Config, Passive, SendError, SendOptions, SocketOptions};
use skua_hosted::HostConfig;

use crate::fixture::{Client, PATIENCE, Policy, RecorderEngine, Socket, told, wait_for};

fn config(send_slots: u32, send_bytes: u32) -> Config<'static> {
    Config { send_slots, send_bytes, magazine: 8, ..Config::default() }
}

fn receiver(address: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn expect(receiver: &UdpSocket, payload: &[u8]) -> SocketAddr {
    let mut bytes = vec![0; 65_536];
    let (length, from) = receiver.recv_from(&mut bytes).expect("the datagram arrives");
    assert_eq!(&bytes[..length], payload);
    from
}

fn done(engine: &RecorderEngine, sends: u64) {
    let stats = wait_for(engine, |stats| stats.sends_outstanding() == 0);
    assert_eq!((stats.sends_issued, stats.sends_completed, stats.sends_failed), (sends, sends, 0));
}

fn leave(client: Client, engine: RecorderEngine, socket: Socket) {
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn one_datagram_of_every_length_arrives() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let client = Client::new(HostConfig::default());
        let (engine, _ends) = client.engine(Policy::Consume, &config(4, 65_507));
        let socket = client.listen(&engine, &told(local));
        let (receiver, to) = receiver(local);
        let lengths = [0, 1, 1472, 9000, 65_487];
        for length in lengths {
            let payload: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            socket.send(to, &payload, &SendOptions::default()).unwrap();
            assert_eq!(expect(&receiver, &payload), socket.local_address());
        }
        done(&engine, lengths.len() as u64);
        leave(client, engine, socket);
    }
}

#[test]
fn a_batch_goes_out_in_order_by_one_call() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(100, 64));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let (receiver, to) = receiver("127.0.0.1:0");
    let sent = socket.send_batch(to, &SendOptions::default(), |batch| {
        for number in 0..100_u32 {
            batch
                .push_with(|data| {
                    data[..4].copy_from_slice(&number.to_be_bytes());
                    4
                })
                .unwrap();
        }
    });
    assert_eq!(sent, Ok(((), 100)));
    for number in 0..100_u32 {
        expect(&receiver, &number.to_be_bytes());
    }
    done(&engine, 100);
    leave(client, engine, socket);
}

#[test]
fn when_slots_run_out_the_batch_says_so_and_they_come_back() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(3, 64));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let (receiver, to) = receiver("127.0.0.1:0");
    for round in 1..10 {
        let refused = socket.send_batch(to, &SendOptions::default(), |batch| {
            let mut pushed = 0;
            while batch.push(b"some").is_ok() {
                pushed += 1;
            }
            (pushed, batch.push(b"more"))
        });
        let ((pushed, refused), sent) = refused.unwrap();
        // The capacity, and at most the one magazine's surplus.
        assert!((3..=11).contains(&pushed), "{pushed} slots of 3");
        assert_eq!((sent, refused), (pushed, Err(SendError::NoSlot)));
        for _ in 0..pushed {
            expect(&receiver, b"some");
        }
        done(&engine, (round * pushed) as u64);
    }
    leave(client, engine, socket);
}

#[test]
fn more_than_a_context_holds_is_refused() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(1, 64));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let (_receiver, to) = receiver("127.0.0.1:0");
    let refused = socket.send(to, &[0; 65], &SendOptions::default());
    assert_eq!(refused, Err(SendError::Oversize { length: 65, limit: 64 }));
    // The one slot was not lost on it.
    socket.send(to, &[0; 64], &SendOptions::default()).unwrap();
    done(&engine, 1);
    leave(client, engine, socket);
}

#[test]
fn type_of_service_and_hop_limit_travel_with_the_datagram() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let client = Client::new(HostConfig::default());
        let (engine, ends) = client.engine(Policy::Consume, &config(1, 64));
        let socket = client.listen(&engine, &told(local));
        let options =
            SendOptions { type_of_service: Some(0xb9), hop_limit: Some(7), ..SendOptions::default() };
        let sent = socket.send(socket.local_address(), b"to itself", &options);
        if cfg!(windows) && sent == Err(SendError::Refused(STATUS_NOT_SUPPORTED)) {
            // Wine would leave them out.
            leave(client, engine, socket);
            continue;
        }
        sent.unwrap();
        let seen = ends.next();
        assert_eq!((seen.type_of_service, seen.hop_limit), (0xb9, 7), "{local}");
        leave(client, engine, socket);
    }
}

#[test]
fn the_source_address_is_the_senders_choice() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(1, 64));
    let socket = client.listen(&engine, &told("0.0.0.0:0"));
    let (receiver, to) = receiver("127.0.0.1:0");
    let source = "127.0.0.77".parse().unwrap();
    let options = SendOptions { source: Some((source, 0)), ..SendOptions::default() };
    let sent = socket.send(to, b"from 77", &options);
    // Wine would leave it out.
    if !(cfg!(windows) && sent == Err(SendError::Refused(STATUS_NOT_SUPPORTED))) {
        sent.unwrap();
        assert_eq!(expect(&receiver, b"from 77").ip(), source);
    }
    leave(client, engine, socket);
}

#[test]
fn a_send_that_the_stack_refuses_is_counted_and_its_slot_comes_back() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(1, 65_535));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let (receiver, to) = receiver("127.0.0.1:0");
    let refused = socket.send(to, &[0; 65_508], &SendOptions::default());
    assert!(matches!(refused, Err(SendError::Refused(_))), "{refused:?}");
    let stats = wait_for(&engine, |stats| stats.sends_failed == 1);
    assert_eq!((stats.sends_issued, stats.sends_completed), (1, 0));
    socket.send(to, b"next", &SendOptions::default()).unwrap();
    expect(&receiver, b"next");
    leave(client, engine, socket);
}

#[test]
fn a_batch_inside_a_batch_goes_elsewhere() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(8, 64));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let ((one, to_one), (two, to_two)) = (receiver("127.0.0.1:0"), receiver("127.0.0.1:0"));
    let options = SendOptions::default();
    let outer = socket.send_batch(to_one, &options, |outer| {
        outer.push(b"one").unwrap();
        let inner = socket.send_batch(to_two, &options, |inner| inner.push(b"two"));
        assert_eq!(inner, Ok((Ok(()), 1)));
        outer.push(b"one again").unwrap();
    });
    assert_eq!(outer, Ok(((), 2)));
    expect(&one, b"one");
    expect(&one, b"one again");
    expect(&two, b"two");
    done(&engine, 3);
    assert!(Passive::acquire(&client.kernel).is_some(), "every raise was lowered");
    leave(client, engine, socket);
}

#[test]
fn what_waits_is_refused_inside_a_batch() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(1, 64));
    let mut socket = client.listen(&engine, &told("127.0.0.1:0"));
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        let other = client.listen(&engine, &told("127.0.0.1:0"));
        let (_receiver, to) = receiver("127.0.0.1:0");
        other
            .send_batch(to, &SendOptions::default(), |_| {
                let opened = engine.open_socket(&client.provider, &told("127.0.0.1:0"), &passive);
                assert!(matches!(opened.err(), Some(skua_engine::OpenSocketError::NotPassive)));
                let group = skua_engine::Membership {
                    group: "239.1.2.3".parse().unwrap(),
                    interface: 0,
                    source: None,
                };
                assert_eq!(socket.join(&group, &passive), Err(skua_engine::MembershipError::NotPassive));
            })
            .unwrap();
        other.close(PATIENCE, &passive).unwrap();
    }
    leave(client, engine, socket);
}

#[test]
fn a_dual_stack_socket_replies_to_ipv4_senders() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Consume, &config(2, 64));
    let socket = client.listen(&engine, &told("[::]:0"));
    let (peer, _) = receiver("127.0.0.1:0");
    peer.send_to(b"hello", ("127.0.0.1", socket.local_address().port())).unwrap();
    socket.send(ends.next().remote, b"hello yourself", &SendOptions::default()).unwrap();
    expect(&peer, b"hello yourself");
    leave(client, engine, socket);
}

#[test]
fn families_that_do_not_go_together_are_refused() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(1, 64));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let refused = socket.send("[::1]:9".parse().unwrap(), b"x", &SendOptions::default());
    assert_eq!(refused, Err(SendError::Family));
    let source = SendOptions { source: Some(("::1".parse().unwrap(), 0)), ..SendOptions::default() };
    let refused = socket.send("127.0.0.1:9".parse().unwrap(), b"x", &source);
    assert_eq!(refused, Err(SendError::Family));
    leave(client, engine, socket);
}

#[test]
fn a_stopped_socket_sends_nothing() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(1, 64));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    socket.stop();
    let refused = socket.send(socket.local_address(), b"late", &SendOptions::default());
    assert_eq!(refused, Err(SendError::Closing));
    leave(client, engine, socket);
}

#[test]
fn many_threads_send_at_once() {
    let client = Client::new(HostConfig::with_workers(2));
    let (engine, _ends) = client.engine(Policy::Consume, &config(64, 64));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let (receiver, to) = receiver("127.0.0.1:0");
    let drain = std::thread::spawn(move || {
        let mut bytes = [0; 64];
        let mut seen = 0;
        receiver.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        while receiver.recv(&mut bytes).is_ok() {
            seen += 1;
        }
        seen
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    while socket.send(to, b"!", &SendOptions::default()) == Err(SendError::NoSlot) {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    done(&engine, 2000);
    assert!(drain.join().unwrap() > 0);
    assert!(Passive::acquire(&client.kernel).is_some(), "every raise was lowered");
    leave(client, engine, socket);
}

#[test]
fn a_socket_with_a_remote_address_sends_there_and_elsewhere_and_hears_it_alone() {
    for (local, connects) in
        [("127.0.0.1:0", false), ("127.0.0.1:0", true), ("[::1]:0", true), ("[::]:0", true)]
    {
        let mut host = HostConfig::default();
        host.provider.connects = connects;
        let client = Client::new(host);
        let (engine, ends) = client.engine(Policy::Consume, &config(8, 64));
        let v4 = local != "[::1]:0";
        let (receiver, to) = receiver(if v4 { "127.0.0.1:0" } else { "[::1]:0" });
        let (stranger, elsewhere) = self::receiver(if v4 { "127.0.0.1:0" } else { "[::1]:0" });
        let socket = client.listen(&engine, &SocketOptions { remote: Some(to), ..told(local) });
        for (receiver, to) in [(&receiver, to), (&stranger, elsewhere)] {
            let sent = socket.send_batch(to, &SendOptions::default(), |batch| {
                batch.push(b"one").and_then(|()| batch.push(b"two"))
            });
            assert_eq!(sent, Ok((Ok(()), 2)), "{local}");
            let from = expect(receiver, b"one");
            assert_eq!((expect(receiver, b"two"), from.port()), (from, socket.local_address().port()));
            receiver.send_to(if to == elsewhere { b"stranger" } else { b"receiver" }, from).unwrap();
        }
        assert_eq!(ends.next().payload, b"receiver", "{local}");
        stranger.send_to(b"stranger", SocketAddr::new(to.ip(), socket.local_address().port())).unwrap();
        receiver.send_to(b"last", SocketAddr::new(to.ip(), socket.local_address().port())).unwrap();
        assert_eq!(ends.next().payload, b"last", "{local}");
        done(&engine, 4);
        leave(client, engine, socket);
    }
}
