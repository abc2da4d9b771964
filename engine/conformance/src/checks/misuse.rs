//! What a client must not do: each breaks one rule that a verifier watches, and crashes Windows or does worse.
//!
//! The provider is one in user mode whose verifier records what it finds and leaves undone what would do harm. A check
//! passes when it comes back; what it was for is the finding.

use core::ptr;

use skua_engine::abi::status::{NTSTATUS, STATUS_CANCELLED, STATUS_SUCCESS};
use skua_engine::abi::wsk::WSK_BUF;
use skua_engine::{Dispatch, Kernel};

use crate::check::{Category, Check, Group};
use crate::client::buffer::Buffer;
use crate::client::datagram::{DatagramSocket, Sending};
use crate::client::memory::Owned;
use crate::client::recorder::Answer;
use crate::client::signal::Signal;
use crate::client::{Arguments, Block, CLIENT_DISPATCH, Client, Descriptor, LOCALHOST, deregister, register};
use crate::outcome::{Outcome, Verdict, expect, expect_at};
use crate::value::Value;

/// All of them.
pub(crate) const fn group<K: Kernel>() -> Group<K> {
    Group {
        category: Category::Misuse,
        checks: &const {
            [
                Check::misuse(
                    "an offset lies in the first MDL",
                    "WSK_BUF, Offset: within the first MDL",
                    "buffer-ill-formed",
                    offset_beyond,
                ),
                Check::misuse("a length comes with an MDL", "WSK_BUF, Mdl", "buffer-ill-formed", no_mdl),
                Check::misuse(
                    "a chain is as long as the length",
                    "WSK_BUF, Length",
                    "buffer-ill-formed",
                    longer_than_chain,
                ),
                Check::misuse(
                    "a list of buffers is not empty",
                    "WskSendMessages, BufferList",
                    "buffer-ill-formed",
                    empty_list,
                ),
                Check::misuse(
                    "a list's buffers do not contradict their chains",
                    "WskSendMessages, BufferList; WSK_BUF",
                    "buffer-ill-formed",
                    wrong_list,
                ),
                Check::misuse(
                    "what was lent is released once",
                    "WskRelease",
                    "indication-released-twice",
                    released_twice,
                ),
                Check::misuse(
                    "what was never lent is not released",
                    "WskRelease, DatagramIndication",
                    "indication-not-lent",
                    never_lent,
                ),
                Check::misuse(
                    "what was lent is released before the close",
                    "WskCloseSocket, Remarks; facts 8",
                    "socket-closed-with-indications",
                    kept_over_close,
                ),
                Check::misuse(
                    "a receive event answers one of three statuses",
                    "WskReceiveFromEvent, Return value",
                    "callback-status",
                    wrong_answer,
                ),
                Check::misuse(
                    "WskRegister is called at PASSIVE_LEVEL",
                    "WskRegister, IRQL",
                    "irql-too-high",
                    register_raised,
                ),
                Check::misuse(
                    "a capture that waits is called at PASSIVE_LEVEL",
                    "WskCaptureProviderNPI, IRQL",
                    "irql-too-high",
                    capture_raised,
                ),
                Check::misuse(
                    "nobody waits at DISPATCH_LEVEL",
                    "KeWaitForSingleObject, IRQL",
                    "wait-at-dispatch-level",
                    wait_raised,
                ),
                Check::misuse(
                    "a release pays for a capture",
                    "WskReleaseProviderNPI",
                    "npi-not-captured",
                    release_unpaid,
                ),
                Check::misuse(
                    "a registration is deregistered once",
                    "WskDeregister",
                    "registration-unknown",
                    deregister_twice,
                ),
                Check::misuse(
                    "the client-level table is not called after its release",
                    "WskReleaseProviderNPI, Remarks",
                    "npi-used-after-release",
                    used_after_release,
                ),
                Check::misuse(
                    "a security descriptor that is attached is a cached one",
                    "WskSocket, SecurityDescriptor",
                    "descriptor-not-cached",
                    not_cached,
                ),
                Check::misuse(
                    "a cached security descriptor is released once",
                    "WSK_RELEASE_SD",
                    "descriptor-released-twice",
                    descriptor_twice,
                ),
                Check::misuse(
                    "an IRP is not reused while it is out",
                    "IoReuseIrp",
                    "irp-reused-in-use",
                    reused_pending,
                ),
            ]
        },
    }
}

/// How a send of a buffer ends whose header is changed before.
fn header<K: Kernel>(client: &Client<'_, K>, change: impl FnOnce(&mut WSK_BUF)) -> Result<NTSTATUS, Outcome> {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::of(client.bench(), &[b"head", b"tail"])?;
    let mut sending = Sending::of(&buffer).to(receiver.local()?);
    change(&mut sending.header);
    Ok(sender.send(sending)?.status)
}

fn offset_beyond<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let status = header(client, |header| {
        header.Offset = 5;
        header.Length = 1;
    })?;
    expect(Value::Failure, status)
}

fn no_mdl<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, header(client, |header| header.Mdl = ptr::null_mut())?)
}

fn longer_than_chain<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(Value::Failure, header(client, |header| header.Length = 9)?)
}

fn empty_list<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    expect(Value::Failure, sender.send_messages(Some(receiver.local()?), &[], 0, None)?.status)
}

fn wrong_list<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let wrong = Buffer::of(client.bench(), &[b"four"])?.with_length(5);
    expect(Value::Failure, sender.send_messages(Some(receiver.local()?), &[&wrong], 0, None)?.status)
}

fn released_twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let sender = DatagramSocket::bound(client, LOCALHOST)?;
    let receiver = DatagramSocket::hearing(client, LOCALHOST)?;
    receiver.event.answer(Answer::Retain);
    sender.deliver(receiver.local()?, b"lent once")?;
    receiver.event.wait_for(1)?;
    let node = receiver.event.take_retained(0);
    expect_at("the first release", Value::from(true), receiver.release_one(node).is_success())?;
    expect(Value::Failure, receiver.release(node))
}

fn never_lent<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let receiver = DatagramSocket::bound(client, LOCALHOST)?;
    let own = Owned::<u64, K>::run(client.bench(), 7)?;
    expect(Value::Failure, receiver.release(own.as_ptr().cast()))
}

fn kept_over_close<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(Answer::Retain);
    sender.deliver(receiver.local()?, b"lent for ever")?;
    receiver.event.wait_for(1)?;
    receiver.event.forget_retained();
    expect(STATUS_SUCCESS, receiver.close()?.status)
}

fn wrong_answer<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    receiver.event.answer(Answer::Nonsense);
    sender.deliver(receiver.local()?, b"what of it")?;
    receiver.event.wait_for_calls(1)?;
    expect(true, receiver.event.calls() >= 1)
}

fn register_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = Owned::<Block, K>::new(client.bench())?;
    let kernel = client.kernel();
    let status = Dispatch::with(kernel, |_| register(kernel, &block, &CLIENT_DISPATCH));
    if status == STATUS_SUCCESS {
        deregister(kernel, &block);
    }
    expect("came back", "came back")
}

fn capture_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let (status, _) = Dispatch::with(client.kernel(), |_| other.capture_again(1000))?;
    if status == STATUS_SUCCESS {
        other.release_once();
    }
    expect("came back", "came back")
}

fn wait_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let signal = Owned::<Signal, K>::new(client.bench())?;
    signal.prepare(client.kernel());
    let _away = Dispatch::with(client.kernel(), |_| signal.waits_once(client.kernel()));
    expect("came back", "came back")
}

fn release_unpaid<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    other.release_early();
    other.release_once();
    expect("came back", "came back")
}

fn deregister_twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = Owned::<Block, K>::new(client.bench())?;
    let kernel = client.kernel();
    expect_at("WskRegister", STATUS_SUCCESS, register(kernel, &block, &CLIENT_DISPATCH))?;
    deregister(kernel, &block);
    deregister(kernel, &block);
    expect("came back", "came back")
}

fn used_after_release<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    other.release_early();
    expect(Value::Failure, other.create(Arguments::datagram(LOCALHOST))?.done.status)
}

fn not_cached<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let descriptor = Descriptor::open(client)?;
    let security = descriptor.as_ptr().cast();
    let created = client.create(Arguments { security, ..Arguments::datagram(LOCALHOST) })?;
    expect(Value::Failure, created.done.status)
}

fn descriptor_twice<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let descriptor = Descriptor::open(client)?;
    let (status, cached) = client.cache(descriptor.as_ptr());
    expect_at("WSK_CACHE_SD", STATUS_SUCCESS, status)?;
    expect_at("the first WSK_RELEASE_SD", STATUS_SUCCESS, client.release_descriptor(cached))?;
    expect(Value::Failure, client.release_descriptor(cached))
}

fn reused_pending<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[8], 0)?;
    receiving.request.reuse_at_once();
    receiving.request.cancel();
    expect(STATUS_CANCELLED, receiving.wait()?.status)
}
