//! IRPs, MDLs, events and levels: what a client and its provider speak through.

use skua_engine::abi::nt::{DISPATCH_LEVEL, PASSIVE_LEVEL};
use skua_engine::abi::status::{STATUS_PENDING, STATUS_SUCCESS};
use skua_engine::{Dispatch, Kernel};

use crate::client::buffer::{Buffer, digest};
use crate::client::datagram::DatagramSocket;
use crate::client::memory::Owned;
use crate::client::request::{Done, Request};
use crate::client::signal::Signal;
use crate::client::{Client, LOCALHOST};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Kernel;
    once_inline: "a request that ends at once is completed once",
        "Using IRPs with Winsock Kernel Functions";
    once_pending: "a request that pends is completed once",
        "Using IRPs with Winsock Kernel Functions";
    once_failing: "a request that fails is completed once",
        "Using IRPs with Winsock Kernel Functions";
    status_inline: "what a function returns is what its IRP is completed with, unless it is PENDING",
        "Using IRPs with Winsock Kernel Functions";
    status_failing: "a failure that is returned is what the IRP is completed with",
        "Using IRPs with Winsock Kernel Functions";
    marked: "an IRP is marked pending where PENDING is returned",
        "IoMarkIrpPending; facts 7";
    unmarked: "an IRP is not marked pending where PENDING is not returned",
        "IoMarkIrpPending; facts 7";
    no_information: "a request that fails brings no information",
        "IO_STATUS_BLOCK; facts 7";
    level: "completion routines run at DISPATCH_LEVEL or below",
        "IO_COMPLETION_ROUTINE, IRQL";
    level_kept: "a call that ends at once leaves the level as it was",
        "Managing Hardware Priorities";
    reuse: "an IRP is used again after IoReuseIrp",
        "IoReuseIrp";
    raising: "raising goes to DISPATCH_LEVEL, and lowering back",
        "KeRaiseIrqlToDpcLevel; KeLowerIrql";
    nested: "raising again stays at DISPATCH_LEVEL",
        "KeRaiseIrqlToDpcLevel";
    processor: "a raised thread's processor is below the maximum",
        "KeGetCurrentProcessorNumberEx; KeQueryMaximumProcessorCountEx";
    stays: "a raised thread stays on its processor",
        "KeGetCurrentProcessorNumberEx";
    zeroed: "memory comes zeroed and aligned to 16 bytes",
        "ExAllocatePool2";
    timeout: "a wait without a signal times out",
        "KeWaitForSingleObject, Return value: STATUS_TIMEOUT";
    counter: "the performance counter does not go back",
        "KeQueryPerformanceCounter";
    mdl: "an MDL of nonpaged memory has its system address",
        "MmBuildMdlForNonPagedPool";
    mdl_unchanged: "a send leaves the bytes under its MDLs as they were",
        "WskSendTo, Buffer";
}

/// A request that needs nothing from elsewhere.
fn at_once<K: Kernel>(client: &Client<'_, K>) -> Result<Done, Outcome> {
    DatagramSocket::open(client, LOCALHOST)?.bind_with(LOCALHOST, 0)
}

/// A request that pends until a datagram comes.
fn pending<K: Kernel>(client: &Client<'_, K>) -> Result<Done, Outcome> {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let receiving = socket.receive_from(&[16], 0)?;
    socket.deliver(socket.local()?, b"to myself")?;
    // A second completion, if there is one, has a moment.
    let _complete = receiving.request.stays_pending();
    receiving.wait()
}

/// A request that fails.
fn failing<K: Kernel>(client: &Client<'_, K>) -> Result<Done, Outcome> {
    let first = DatagramSocket::bound(client, LOCALHOST)?;
    DatagramSocket::open(client, LOCALHOST)?.bind_with(first.local()?, 0)
}

fn once_inline<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(1_u32, at_once(client)?.times)
}

fn once_pending<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(1_u32, pending(client)?.times)
}

fn once_failing<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(1_u32, failing(client)?.times)
}

/// That the status returned is that of the completion, unless it is PENDING.
fn agrees(done: Done) -> Verdict {
    let returned = if done.returned == STATUS_PENDING { done.status } else { done.returned };
    expect(done.status, returned)
}

fn status_inline<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    agrees(at_once(client)?)
}

fn status_failing<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    agrees(failing(client)?)
}

fn marked<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let done = pending(client)?;
    expect_at("returned", STATUS_PENDING, done.returned)?;
    expect(true, done.pending_returned)
}

fn unmarked<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let done = at_once(client)?;
    expect(done.returned == STATUS_PENDING, done.pending_returned)
}

fn no_information<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(0_usize, failing(client)?.information)
}

fn level<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    for done in [at_once(client)?, pending(client)?] {
        expect_at("at most DISPATCH_LEVEL", true, done.irql <= DISPATCH_LEVEL)?;
    }
    expect("at most DISPATCH_LEVEL", "at most DISPATCH_LEVEL")
}

fn level_kept<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    at_once(client)?;
    expect(PASSIVE_LEVEL, client.kernel().ke_get_current_irql())
}

fn reuse<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let socket = DatagramSocket::bound(client, LOCALHOST)?;
    let request = Request::new(client.bench())?;
    let mut successes = 0_u32;
    for _ in 0..10 {
        let done = request.run("WskGetLocalAddress", |irp| socket.ask_local_address(irp))?;
        successes += u32::from(done.status == STATUS_SUCCESS && done.times == 1);
        request.reuse();
    }
    expect(10_u32, successes)
}

fn raising<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let kernel = client.kernel();
    let raised = Dispatch::with(kernel, |_| kernel.ke_get_current_irql());
    expect_at("raised", DISPATCH_LEVEL, raised)?;
    expect(PASSIVE_LEVEL, kernel.ke_get_current_irql())
}

fn nested<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let kernel = client.kernel();
    let (inner, outer) = Dispatch::with(kernel, |_| {
        (Dispatch::with(kernel, |_| kernel.ke_get_current_irql()), kernel.ke_get_current_irql())
    });
    expect_at("raised twice", DISPATCH_LEVEL, inner)?;
    expect(DISPATCH_LEVEL, outer)
}

fn processor<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let kernel = client.kernel();
    let index = Dispatch::with(kernel, Dispatch::processor);
    expect(true, index < kernel.ke_query_maximum_processor_count())
}

fn stays<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let kernel = client.kernel();
    let moved = Dispatch::with(kernel, |at| {
        (0..1000).filter(|_| kernel.ke_get_current_processor_index() != at.processor()).count()
    });
    expect(0_usize, moved)
}

fn zeroed<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    for bytes in [1, 100, 5000] {
        let memory = Owned::<u8, K>::run(client.bench(), bytes)?;
        expect_at("zeroed", true, memory.bytes().iter().all(|byte| *byte == 0))?;
        expect_at("aligned", 0_usize, memory.as_ptr().addr() % 16)?;
    }
    expect(true, true)
}

fn timeout<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let signal = Owned::<Signal, K>::new(client.bench())?;
    signal.prepare(client.kernel());
    let before = client.kernel().ke_query_interrupt_time();
    let away = signal.stays_away(client.bench(), || false);
    let waited = client.kernel().ke_query_interrupt_time().saturating_sub(before);
    expect_at("it waited", true, waited > 0)?;
    expect(true, away)
}

fn counter<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let kernel = client.kernel();
    let mut last = kernel.ke_query_performance_counter();
    let mut back = 0_u32;
    for _ in 0..1000 {
        let now = kernel.ke_query_performance_counter();
        back += u32::from(now < last);
        last = now;
    }
    expect_at("ticks a second", true, kernel.performance_frequency() > 0)?;
    expect(0_u32, back)
}

fn mdl<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let buffer = Buffer::patterned(client.bench(), 5, 6000)?;
    expect(true, buffer.digest_by_mdls() == digest(buffer.bytes().iter().copied()))
}

fn mdl_unchanged<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let (sender, receiver) = DatagramSocket::pair(client)?;
    let buffer = Buffer::patterned(client.bench(), 6, 900)?;
    let before = digest(buffer.bytes().iter().copied());
    let sending = crate::client::datagram::Sending::of(&buffer).to(receiver.local()?);
    sender.send(sending)?.succeeds("WskSendTo")?;
    receiver.event.wait_for(1)?;
    expect(true, digest(buffer.bytes().iter().copied()) == before)
}
