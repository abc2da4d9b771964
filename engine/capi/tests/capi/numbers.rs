//! Numbers of sockets and retained datagrams, used by several threads at once.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use skua_capi::*;
use skua_engine::abi::status::{
    STATUS_DELETE_PENDING, STATUS_DEVICE_BUSY, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};

use crate::fixture::{Fixture, Handler, PATIENCE_MS, RETAIN, size};

fn keeping() -> Fixture {
    Fixture::open(Handler::told(RETAIN), |config| {
        config.RetainDatagrams = 64;
        config.SendSlots = 256;
    })
}

#[test]
fn of_several_threads_one_releases() {
    let fixture = keeping();
    let (_, peer) = fixture.socket();
    for round in 1..=200 {
        peer.send(b"kept").unwrap();
        fixture.until(|now| now.Kept == round);
        let kept = fixture.handler.kept.lock().unwrap().pop().unwrap();
        let released = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| match fixture.release(kept) {
                    STATUS_SUCCESS => drop(released.fetch_add(1, Ordering::Relaxed)),
                    other => assert_eq!(other, STATUS_INVALID_HANDLE),
                });
            }
        });
        assert_eq!(released.load(Ordering::Relaxed), 1, "round {round}");
    }
    assert_eq!(fixture.statistics().Released, 200);
    fixture.close();
}

#[test]
fn a_datagram_is_read_whole_or_not_at_all_while_it_is_released() {
    let fixture = keeping();
    let (_, peer) = fixture.socket();
    let payload = [0x5A; 1000];
    for round in 1..=100 {
        peer.send(&payload).unwrap();
        fixture.until(|now| now.Kept == round);
        let kept = fixture.handler.kept.lock().unwrap().pop().unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut bytes = [0; 1000];
                    // SAFETY: an engine, and room for as many bytes.
                    let copied = unsafe {
                        SkuaCopyRetained(fixture.engine(), kept, 0, bytes.as_mut_ptr().cast(), 1000)
                    };
                    assert!(copied == 0 || (copied == 1000 && bytes == payload));
                }
            });
            thread::yield_now();
            assert_eq!(fixture.release(kept), STATUS_SUCCESS);
            over.store(true, Ordering::Relaxed);
        });
        fixture.until(|now| now.Released == round);
    }
    fixture.close();
}

#[test]
fn a_number_stays_valid_where_the_address_is_no_good_and_in_no_other_case() {
    let fixture = keeping();
    let (socket, peer) = fixture.socket();
    for round in 1..=2 {
        peer.send(b"kept").unwrap();
        fixture.until(|now| now.Kept == round);
    }
    let mut to = SKUA_ENDPOINT { Family: SKUA_IPV4, ..SKUA_ENDPOINT::default() };
    to.Port = peer.local_addr().unwrap().port();
    to.Address[..4].copy_from_slice(&[127, 0, 0, 1]);
    let send = |socket, to: &SKUA_ENDPOINT, kept| {
        // SAFETY: an engine, and an endpoint.
        unsafe { SkuaSendRetained(fixture.engine(), socket, to, kept, std::ptr::null()) }
    };
    let kept = fixture.handler.kept.lock().unwrap().pop().unwrap();
    let of_another_family = SKUA_ENDPOINT { Family: SKUA_IPV6, ..to };
    assert_eq!(send(socket, &of_another_family, kept), STATUS_INVALID_PARAMETER);
    assert_eq!(send(socket, &to, kept), STATUS_SUCCESS);
    let mut bytes = [0; 16];
    assert_eq!(peer.recv(&mut bytes).unwrap(), 4);
    assert_eq!(&bytes[..4], b"kept");
    assert_eq!(send(socket, &to, kept), STATUS_INVALID_HANDLE);

    let kept = fixture.handler.kept.lock().unwrap().pop().unwrap();
    assert_eq!(send(SKUA_SOCKET::default(), &to, kept), STATUS_INVALID_HANDLE);
    assert_eq!(fixture.release(kept), STATUS_INVALID_HANDLE);
    fixture.until(|now| now.Released == 2);
    fixture.close();
}

#[test]
fn a_socket_is_closed_while_others_send_by_it() {
    for _ in 0..20 {
        let fixture = keeping();
        let (socket, peer) = fixture.socket();
        let mut to = SKUA_ENDPOINT {
            Family: SKUA_IPV4,
            Port: peer.local_addr().unwrap().port(),
            ..SKUA_ENDPOINT::default()
        };
        to.Address[..4].copy_from_slice(&[127, 0, 0, 1]);
        let started = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        // SAFETY: an engine, an endpoint, and bytes.
                        let status = unsafe {
                            SkuaSend(
                                fixture.engine(),
                                socket,
                                &raw const to,
                                b"x".as_ptr().cast(),
                                1,
                                std::ptr::null(),
                            )
                        };
                        started.fetch_add(1, Ordering::Relaxed);
                        match status {
                            STATUS_SUCCESS | STATUS_INSUFFICIENT_RESOURCES | STATUS_DELETE_PENDING => {}
                            other => return assert_eq!(other, STATUS_INVALID_HANDLE),
                        }
                    }
                });
            }
            while started.load(Ordering::Relaxed) < 20 {
                thread::yield_now();
            }
            // SAFETY: an engine.
            let closed =
                unsafe { SkuaCloseSocket(fixture.engine(), socket, PATIENCE_MS, std::ptr::null_mut()) };
            assert_eq!(closed, STATUS_SUCCESS);
        });
        fixture.close();
    }
}

#[test]
fn of_several_threads_one_closes() {
    for _ in 0..50 {
        let fixture = keeping();
        let _open = fixture.socket();
        let closed = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    // SAFETY: an engine's memory; what is outstanding need not be known.
                    match unsafe { SkuaClose(fixture.engine(), u32::MAX, std::ptr::null_mut()) } {
                        STATUS_SUCCESS => drop(closed.fetch_add(1, Ordering::Relaxed)),
                        other => {
                            assert!(matches!(other, STATUS_DEVICE_BUSY | STATUS_INVALID_HANDLE), "{other}")
                        }
                    }
                });
            }
        });
        assert_eq!(closed.load(Ordering::Relaxed), 1);
        assert_eq!(fixture.kernel.memory_in_use(), 0);
    }
}

#[test]
fn an_engine_is_closed_while_others_ask_it() {
    for _ in 0..20 {
        let fixture = keeping();
        let (_, peer) = fixture.socket();
        peer.send(b"x").unwrap();
        let started = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let bytes = size::<SKUA_STATISTICS>();
                        let mut now = SKUA_STATISTICS { Size: bytes, ..SKUA_STATISTICS::default() };
                        // SAFETY: an engine's memory, and a structure of its size.
                        let status = unsafe { SkuaQueryStatistics(fixture.engine(), &raw mut now) };
                        started.fetch_add(1, Ordering::Relaxed);
                        if !matches!(status, STATUS_SUCCESS | STATUS_DELETE_PENDING) {
                            return assert_eq!(status, STATUS_INVALID_HANDLE);
                        }
                    }
                });
            }
            while started.load(Ordering::Relaxed) < 20 {
                thread::yield_now();
            }
            fixture.until(|now| now.Indicated == 1);
            for kept in fixture.handler.kept.lock().unwrap().drain(..) {
                assert_eq!(fixture.release(kept), STATUS_SUCCESS);
            }
            // SAFETY: an engine.
            let closed = unsafe { SkuaClose(fixture.engine(), PATIENCE_MS, std::ptr::null_mut()) };
            assert_eq!(closed, STATUS_SUCCESS);
        });
        assert_eq!(fixture.kernel.memory_in_use(), 0);
    }
}
