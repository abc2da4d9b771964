//! The check's side of the events of one socket over TCP.

// UNSAFETY: reads lists that are retained.
#![expect(unsafe_code, reason = "lists are reached by address")]

use core::cell::{Cell, RefCell};
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::Ordering;

use skua_engine::Kernel;
use skua_engine::abi::status::NTSTATUS;
use skua_engine::abi::wsk::{WSK_DATA_INDICATION, WSK_INSPECT_ACTION, WSK_INSPECT_ID, WSK_SOCKET};

use super::super::Bench;
use super::super::buffer;
use super::super::handle::Handle;
use super::super::memory::Owned;
use super::record::{Admit, Arrival, Inside, Inspected, Keep, LISTS, ROOM, Slots, StreamRecord, read_list};
use crate::outcome::{Outcome, Pair};

/// The owner of a record that the accept event may give to a connection.
type Offered<'b, K> = RefCell<Option<Owned<'b, StreamRecord<K>, K>>>;

/// The client's side of the events of one socket over TCP.
///
/// Connections that its accept event took and that the check did not, are closed when it is dropped, behind the listening
/// socket.
pub(crate) struct StreamRecorder<'b, K: Kernel> {
    record: Owned<'b, StreamRecord<K>, K>,
    offered: [Offered<'b, K>; ROOM],
    claimed: [Cell<bool>; ROOM],
}

impl<'b, K: Kernel> StreamRecorder<'b, K> {
    pub(crate) fn new(bench: &'b Bench<K>) -> Result<Self, Outcome> {
        Ok(Self::of(StreamRecord::new(bench)?))
    }

    fn of(record: Owned<'b, StreamRecord<K>, K>) -> Self {
        Self { record, offered: [const { RefCell::new(None) }; ROOM], claimed: Default::default() }
    }

    /// The context of the socket.
    pub(crate) fn context(&self) -> *mut c_void {
        self.record.as_ptr().cast()
    }

    pub(crate) fn attach(&self, socket: *mut WSK_SOCKET) {
        self.record.socket.store(socket, Ordering::Release);
    }

    /// The receive event takes so many bytes more, and does not accept what is above.
    pub(crate) fn take(&self, bytes: usize) {
        self.record.budget.store(bytes, Ordering::SeqCst);
    }

    /// What the receive event does from now on.
    pub(crate) fn keep(&self, keep: Keep) {
        self.record.keep.store(keep as u32, Ordering::SeqCst);
    }

    /// What the accept event does from now on.
    pub(crate) fn admit(&self, admit: Admit) {
        self.record.admit.store(admit as u32, Ordering::SeqCst);
    }

    /// What the inspect event answers from now on. WskInspectReject before.
    pub(crate) fn decide(&self, action: WSK_INSPECT_ACTION) {
        self.record.action.store(action.0, Ordering::SeqCst);
    }

    /// From now on events answer this, whatever they may answer; the accept event refuses by it.
    #[cfg(feature = "misuse")]
    pub(crate) fn answer(&self, status: NTSTATUS) {
        self.record.answer.store(status.to_bits(), Ordering::SeqCst);
    }

    /// The next call of any event does this before it answers.
    pub(crate) fn inside(&self, hook: Inside<K>, context: *mut c_void) {
        self.record.hook_context.store(context, Ordering::Relaxed);
        self.record.hook.store(hook as *mut c_void, Ordering::Release);
    }

    /// The status that a hook left.
    pub(crate) fn note(&self) -> NTSTATUS {
        NTSTATUS::from_bits(self.record.note.load(Ordering::Acquire))
    }

    /// Events that had returned when a completion routine looked.
    pub(crate) fn returned_before(&self) -> usize {
        self.record.returned_before.load(Ordering::Acquire)
    }

    /// Offers the accept event a record for one connection more.
    pub(crate) fn offer(&self) -> Result<(), Outcome> {
        let record = StreamRecord::new(self.record.bench())?;
        for (place, owner) in self.record.offers.iter().zip(&self.offered) {
            if owner.borrow().is_none() {
                let pointer = record.as_ptr();
                *owner.borrow_mut() = Some(record);
                place.store(pointer, Ordering::Release);
                return Ok(());
            }
        }
        Err(Outcome::NotApplicable { why: "too many connections for the check" })
    }

    /// Waits for the `index`th connection that the accept event took.
    pub(crate) fn arrival(&self, index: usize) -> Result<Arrival, Outcome> {
        self.nth("connections for the accept event", &self.record.arrivals, index)
    }

    /// The same, which the caller closes; with the record that is its context.
    pub(crate) fn claim(&self, index: usize) -> Result<(Arrival, Self), Outcome> {
        let arrival = self.arrival(index)?;
        let offer = arrival.offer.checked_sub(1).and_then(|offer| self.offered.get(offer));
        let record = offer.and_then(|offer| offer.borrow_mut().take());
        let recorder = match record {
            Some(record) => Self::of(record),
            None => Self::new(self.record.bench())?,
        };
        if let Some(claimed) = self.claimed.get(index) {
            claimed.set(true);
        }
        Ok((arrival, recorder))
    }

    /// Connections that the accept event took.
    pub(crate) fn arrived(&self) -> usize {
        self.record.arrivals.count()
    }

    /// Waits until the accept event has refused so many.
    pub(crate) fn wait_for_refusals(&self, count: usize) -> Result<(), Outcome> {
        let refused = || self.record.refused.load(Ordering::Acquire);
        self.wait("connections that the accept event refuses", || refused() >= count, refused)
    }

    /// Waits for the `index`th connection that the inspect event was asked about.
    pub(crate) fn inspection(&self, index: usize) -> Result<Inspected, Outcome> {
        self.nth("calls of the inspect event", &self.record.inspections, index)
    }

    /// Calls of the inspect event.
    pub(crate) fn inspected(&self) -> usize {
        self.record.inspections.count()
    }

    /// Waits for the `index`th connection that the abort event told of.
    pub(crate) fn abort(&self, index: usize) -> Result<WSK_INSPECT_ID, Outcome> {
        self.nth("calls of the abort event", &self.record.aborts, index)
    }

    /// Bytes that the receive event took.
    pub(crate) fn taken(&self) -> usize {
        self.record.taken.load(Ordering::Acquire)
    }

    /// Waits until the receive event took so many bytes; whether they begin with `expected`.
    pub(crate) fn received(&self, expected: &[u8]) -> Result<bool, Outcome> {
        self.wait_for_bytes(expected.len())?;
        let taken = self.record.first.iter().zip(expected);
        Ok(taken.into_iter().all(|(byte, expected)| byte.load(Ordering::Acquire) == *expected))
    }

    /// Waits until the receive event took so many bytes.
    pub(crate) fn wait_for_bytes(&self, bytes: usize) -> Result<(), Outcome> {
        self.wait("bytes for the receive event", || self.taken() >= bytes, || self.taken())
    }

    /// The digest of what the receive event took; see [`buffer::digest`].
    pub(crate) fn digest(&self) -> u64 {
        self.record.digest.load(Ordering::Acquire)
    }

    /// Calls of the receive event, refused ones too.
    pub(crate) fn calls(&self) -> usize {
        self.record.calls.load(Ordering::Acquire)
    }

    /// Waits until the receive event was called so often.
    pub(crate) fn wait_for_calls(&self, count: usize) -> Result<(), Outcome> {
        self.wait("calls of the receive event", || self.calls() >= count, || self.calls())
    }

    /// All flags that the receive or the accept event was called with.
    pub(crate) fn flags(&self) -> u32 {
        self.record.flags.load(Ordering::Acquire)
    }

    /// Calls of the receive event whose list held another number of bytes than they said.
    pub(crate) fn miscounted(&self) -> usize {
        self.record.miscounted.load(Ordering::Acquire)
    }

    /// Calls of any event at another level than their flags say.
    pub(crate) fn wrong_levels(&self) -> usize {
        self.record.wrong_levels.load(Ordering::Acquire)
    }

    /// Most calls that were inside the receive event at once.
    pub(crate) fn most_inside(&self) -> usize {
        self.record.most_inside.load(Ordering::Acquire)
    }

    /// Waits for the disconnect event; the flags that it was first called with.
    pub(crate) fn disconnect(&self) -> Result<u32, Outcome> {
        let disconnects = || self.disconnects();
        self.wait("the disconnect event", || disconnects() > 0, disconnects)?;
        Ok(self.record.disconnect_flags.load(Ordering::Acquire))
    }

    /// Calls of the disconnect event.
    pub(crate) fn disconnects(&self) -> usize {
        self.record.disconnects.load(Ordering::Acquire)
    }

    /// Bytes that the receive event had taken when the disconnect event was first called.
    pub(crate) fn taken_before(&self) -> usize {
        self.record.taken_before.load(Ordering::Acquire)
    }

    /// Waits until so many events have returned.
    pub(crate) fn wait_for_returns(&self, count: usize) -> Result<(), Outcome> {
        let finished = || self.record.finished.load(Ordering::Acquire);
        self.wait("events that return", || finished() >= count, finished)
    }

    /// Waits until no event is inside: what an event calls on its socket must have returned before the socket is closed.
    pub(crate) fn wait_until_idle(&self) {
        let _idle = self.record.signal.comes(self.record.bench(), || {
            // What has returned is read first, so that equal means none inside.
            let finished = self.finished();
            finished == self.record.entered.load(Ordering::Acquire)
        });
    }

    /// Events that have returned, or are about to.
    pub(crate) fn finished(&self) -> usize {
        self.record.finished.load(Ordering::Acquire)
    }

    /// Whether no event begins within a moment. One that is still on its way out does not count.
    pub(crate) fn is_quiet(&self) -> bool {
        let entered = || self.record.entered.load(Ordering::Acquire);
        let before = entered();
        self.record.signal.stays_away(self.record.bench(), || entered() > before)
    }

    /// The `index`th retained list that was not taken yet, which the check releases then.
    pub(crate) fn take_retained(&self, index: usize) -> *mut WSK_DATA_INDICATION {
        let slot = self.record.retained.get(index);
        slot.map_or(ptr::null_mut(), |slot| slot.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    /// Takes all that are retained.
    pub(crate) fn take_all_retained(&self) -> impl Iterator<Item = *mut WSK_DATA_INDICATION> {
        (0..LISTS).map(|index| self.take_retained(index)).filter(|list| !list.is_null())
    }

    /// The digest of the bytes of a list that is retained, behind those of `digest`.
    pub(crate) fn read_on(&self, list: *mut WSK_DATA_INDICATION, digest: u64) -> u64 {
        let mut digest = digest;
        let kernel = self.record.bench().kernel();
        // SAFETY: retained, so it is the client's.
        unsafe { read_list(kernel, list, |byte| digest = buffer::digest_on(digest, byte)) };
        digest
    }

    fn nth<T: Copy>(&self, step: &'static str, slots: &Slots<T>, index: usize) -> Result<T, Outcome> {
        self.wait(step, || slots.get(index).is_some(), || slots.count())?;
        slots.get(index).ok_or(Outcome::NotApplicable { why: "more than the check remembers" })
    }

    /// What has not come is no hang: nothing is out, and the check fails by what it compares.
    fn wait(
        &self,
        step: &'static str,
        condition: impl Fn() -> bool,
        seen: impl Fn() -> usize,
    ) -> Result<(), Outcome> {
        if self.record.signal.comes(self.record.bench(), condition) {
            return Ok(());
        }
        Err(Outcome::Broken { step, pair: Pair { expected: "in time".into(), seen: seen().into() } })
    }
}

impl<K: Kernel> Drop for StreamRecorder<'_, K> {
    fn drop(&mut self) {
        for (index, claimed) in self.claimed.iter().enumerate().take(self.arrived()) {
            if !claimed.get()
                && let Ok(arrival) = self.arrival(index)
            {
                drop(Handle::of(self.record.bench(), arrival.socket));
            }
        }
    }
}
