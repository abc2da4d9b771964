//! That a datagram leaves in the memory that it came in.

// UNSAFETY: looks at the addresses in what passes between engine and provider.
#![expect(unsafe_code, reason = "indications and lists are met by address")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use skua_engine::abi::nt::MDL;
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{WSK_BUF, WSK_DATAGRAM_INDICATION};
use skua_hosted::middleware::{Arguments, Call, Event, EventArguments, Middleware};

use crate::fixture::{Client, next, peer, wait_for};

/// What one buffer is: its first MDL, offset and length.
type Place = (usize, u32, usize);

/// Stands before the provider and takes note of every buffer that is indicated, sent and released.
#[derive(Debug, Default)]
struct Witness(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    indicated: BTreeSet<Place>,
    sent: Vec<Place>,
    released: usize,
}

fn place(buffer: &WSK_BUF) -> Place {
    (buffer.Mdl.cast::<MDL>().addr(), buffer.Offset, buffer.Length)
}

impl Middleware for Witness {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let mut seen = self.0.lock().unwrap();
        match call.arguments {
            // SAFETY: the client's buffer, for the time of the call.
            Arguments::SendTo { buffer, .. } => seen.sent.push(place(unsafe { &*buffer })),
            Arguments::SendMessages { buffer_list, .. } => {
                let mut next = buffer_list;
                while !next.is_null() {
                    // SAFETY: the client's list, for the time of the call.
                    let node = unsafe { &*next };
                    seen.sent.push(place(&node.Buffer));
                    next = node.Next;
                }
            }
            Arguments::ReleaseDatagrams { datagram_indication } => {
                let mut next = datagram_indication;
                while !next.is_null() {
                    seen.released += 1;
                    // SAFETY: the client gives these back, and nobody has yet.
                    next = unsafe { (*next).Next };
                }
            }
            _ => {}
        }
        drop(seen);
        call.pass()
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        if let EventArguments::ReceiveFrom { data_indication, .. } = event.arguments {
            let mut next: *mut WSK_DATAGRAM_INDICATION = data_indication;
            while !next.is_null() {
                // SAFETY: lent for the time of the callback.
                let indication = unsafe { &*next };
                self.0.lock().unwrap().indicated.insert(place(&indication.Buffer));
                next = indication.Next;
            }
        }
        event.pass()
    }
}

#[test]
fn every_buffer_sent_is_one_that_was_indicated_and_goes_back_when_its_send_completes() {
    let witness = Arc::new(Witness::default());
    let client = Client::behind(witness.clone());
    let (outside, inside) = (peer("127.0.0.1"), peer("127.0.0.1"));
    let rules = [format!("outer any forward {}", inside.local_addr().unwrap())];
    let forwarder = client.open(&rules, 8);
    let [outer, _] = forwarder.local();
    let lengths = [1, 16, 17, 1_472, 65_507];
    for length in lengths {
        client.kernel.set_congested(true);
        let before = witness.0.lock().unwrap().released;
        outside.send_to(&vec![7; length], outer).unwrap();
        wait_for(&forwarder, |stats| stats.engine.retained() == 1);
        assert_eq!(forwarder.stats().engine.sends_outstanding(), 1, "lent while the send is under way");
        assert_eq!(witness.0.lock().unwrap().released, before, "not released before the send completed");
        client.kernel.set_congested(false);
        assert_eq!(next(&inside).0.len(), length);
        wait_for(&forwarder, |stats| stats.engine.retained() == 0);
        assert_eq!(witness.0.lock().unwrap().released, before + 1);
    }
    let seen = witness.0.lock().unwrap();
    assert_eq!(seen.sent.len(), lengths.len());
    assert!(seen.sent.iter().all(|place| seen.indicated.contains(place)), "{seen:?}");
    drop(seen);
    client.close(forwarder);
    client.finish();
}
