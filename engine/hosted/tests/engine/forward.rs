//! Memory that is not the engine's is sent as it is, and goes back to whose it is.

// UNSAFETY: describes memory by an MDL, and reads the count that a completion is told to raise.
#![expect(unsafe_code, reason = "a caller's buffer is described by address")]

use std::ffi::c_void;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};

use skua_engine::abi::nt::{MDL, PAGE_SIZE, mm_initialize_mdl};
use skua_engine::abi::status::{NTSTATUS, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_BUF;
use skua_engine::{CallersBuffer, Config, Kernel, Retention, SendError, SendOptions};
use skua_hosted::{HostConfig, HostKernel};

use crate::fixture::{Client, PATIENCE, Policy, sender, told, wait_for};

fn config(send_lent: bool) -> Config<'static> {
    let retention = Retention { datagrams: 8, bytes: 8 * 65_536, ..Retention::default() };
    Config { send_slots: 8, send_bytes: 64, magazine: 4, retention, send_lent, ..Config::default() }
}

fn receiver() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn arrives(receiver: &UdpSocket, payload: &[u8]) {
    let mut bytes = vec![0; 65_536];
    let length = receiver.recv(&mut bytes).expect("the datagram arrives");
    assert_eq!(&bytes[..length], payload);
}

#[test]
fn a_lent_datagram_is_sent_on_and_given_back_when_the_send_completes() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Retain, &config(true));
    let (from, by) =
        (client.listen(&engine, &told("127.0.0.1:0")), client.listen(&engine, &told("127.0.0.1:0")));
    let (receiver, to) = receiver();
    // Longer than a context's own bytes, so it cannot have been copied there.
    for payload in [&[7; 9000][..], b"short", b""] {
        sender(from.local_address()).send(payload).unwrap();
        let kept = ends.next_retained();
        assert!(kept.is_lent());
        client.kernel.set_congested(true);
        let sent = by.send_batch(to, &SendOptions::default(), |batch| batch.push_retained(kept));
        assert_eq!(sent, Ok((Ok(()), 1)));
        assert_eq!(engine.stats().retained(), 1, "lent until the send completes");
        client.kernel.set_congested(false);
        arrives(&receiver, payload);
        wait_for(&engine, |stats| stats.sends_outstanding() == 0 && stats.retained() == 0);
    }
    assert!(engine.stats().balances());
    client.close(from);
    client.close(by);
    drop(engine);
    client.finish();
}

#[test]
fn unless_asked_for_a_lent_datagram_is_copied_and_given_back_at_once() {
    let client = Client::new(HostConfig::default());
    let (engine, ends) = client.engine(Policy::Retain, &config(false));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let (receiver, to) = receiver();
    sender(socket.local_address()).send(b"copied").unwrap();
    let kept = ends.next_retained();
    client.kernel.set_congested(true);
    let sent = socket.send_batch(to, &SendOptions::default(), |batch| batch.push_retained(kept));
    assert_eq!(sent, Ok((Ok(()), 1)));
    assert_eq!(engine.stats().retained(), 0);
    client.kernel.set_congested(false);
    arrives(&receiver, b"copied");

    sender(socket.local_address()).send(&[0; 65]).unwrap();
    let kept = ends.next_retained();
    let sent = socket.send_batch(to, &SendOptions::default(), |batch| batch.push_retained(kept));
    assert_eq!(sent, Ok((Err(SendError::Oversize { length: 65, limit: 64 }), 0)));
    assert_eq!(engine.stats().retained(), 0, "given back all the same");
    client.close(socket);
    drop(engine);
    client.finish();
}

/// A chain of two MDLs over memory of the test's, and how often it came back.
struct Chain {
    mdls: Box<[[u64; 12]; 2]>,
    _bytes: Box<[u8; 256]>,
    back: AtomicU64,
}

impl Chain {
    fn new(kernel: &HostKernel) -> Self {
        assert!(size_of::<MDL>() + 16 <= size_of::<[u64; 12]>(), "room for the pages of 256 bytes");
        const { assert!(PAGE_SIZE > 256) };
        let mut bytes = Box::new([0; 256]);
        for (byte, value) in bytes.iter_mut().zip(0..=u8::MAX) {
            *byte = value;
        }
        let mut mdls = Box::new([[0; 12]; 2]);
        for (index, (start, length)) in [(0, 100), (100, 156)].into_iter().enumerate() {
            let mdl = mdls[index].as_mut_ptr().cast::<MDL>();
            let base = bytes[start..].as_mut_ptr().cast();
            // SAFETY: the array has room for the header and two pages.
            unsafe { mm_initialize_mdl(mdl, base, length) };
            // SAFETY: initialised over memory that is never paged here.
            unsafe { kernel.mm_build_mdl_for_non_paged_pool(mdl) };
        }
        let second = mdls[1].as_mut_ptr().cast::<MDL>();
        // SAFETY: initialised above.
        unsafe { (*mdls[0].as_mut_ptr().cast::<MDL>()).Next = second };
        Self { mdls, _bytes: bytes, back: AtomicU64::new(0) }
    }

    fn buffer(&self, offset: u32, length: usize) -> CallersBuffer {
        let mdl = self.mdls[0].as_ptr().cast_mut().cast();
        CallersBuffer {
            buffer: WSK_BUF { Mdl: mdl, Offset: offset, Length: length },
            done: came_back,
            context: std::ptr::from_ref(&self.back).cast_mut().cast(),
        }
    }
}

unsafe extern "C" fn came_back(context: *mut c_void, status: NTSTATUS) {
    assert_eq!(status, STATUS_SUCCESS);
    // SAFETY: the count of a chain that outlives its sends.
    unsafe { &*context.cast::<AtomicU64>() }.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn a_chain_of_the_callers_is_sent_without_a_copy_and_comes_back_once() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(false));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let (receiver, to) = receiver();
    let chain = Chain::new(&client.kernel);
    let expected: Vec<u8> = (90..240).collect();
    client.kernel.set_congested(true);
    let sent = socket.send_batch(to, &SendOptions::default(), |batch| {
        batch.push(b"own bytes before").unwrap();
        // SAFETY: the chain outlives the send, which is waited for below.
        unsafe { batch.push_buffer(chain.buffer(90, 150)) }.unwrap();
        batch.push(b"and behind").unwrap();
    });
    assert_eq!(sent, Ok(((), 3)));
    assert_eq!(chain.back.load(Ordering::SeqCst), 0, "the provider has it");
    client.kernel.set_congested(false);
    for payload in [&b"own bytes before"[..], &expected, b"and behind"] {
        arrives(&receiver, payload);
    }
    // The send is counted before its buffer comes back.
    wait_for(&engine, |stats| stats.sends_outstanding() == 0 && chain.back.load(Ordering::SeqCst) == 1);

    // The context that carried it has its own bytes again.
    for _ in 0..16 {
        socket.send(to, b"own", &SendOptions::default()).unwrap();
        arrives(&receiver, b"own");
    }
    client.close(socket);
    drop(engine);
    client.finish();
}

#[test]
fn a_buffer_that_no_datagram_can_be_stays_the_callers() {
    let client = Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &config(false));
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let (_receiver, to) = receiver();
    let chain = Chain::new(&client.kernel);
    let sent = socket.send_batch(to, &SendOptions::default(), |batch| {
        // SAFETY: refused before anything reads it.
        unsafe { batch.push_buffer(chain.buffer(0, 65_536)) }
    });
    assert_eq!(sent, Ok((Err(SendError::Oversize { length: 65_536, limit: 65_535 }), 0)));
    assert_eq!(chain.back.load(Ordering::SeqCst), 0);
    client.close(socket);
    drop(engine);
    client.finish();
}
