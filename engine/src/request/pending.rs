//! A request under way: awaited, waited for, left to a callback, or dropped.

// UNSAFETY: touches a slot that the handover word says is the asker's.
#![expect(unsafe_code, reason = "the asker's half of the handover")]

use core::future::Future;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};
use core::time::Duration;

use skua_pools::Cell;

use crate::abi::nt::IRP;
use crate::abi::status::{NTSTATUS, STATUS_SUCCESS};
use crate::client::base::SocketBase;
use crate::deadline::Deadline;
use crate::kernel::Kernel;
use crate::operation::Completion;
use crate::processor::{Dispatch, Passive};
use crate::request::buffer::Buffer;
use crate::request::error::{RequestError, WaitError};
use crate::request::slot::{Slot, conclude_anywhere};

/// How long a request may take to end once it is cancelled, in units of 100 ns: 1 s.
const CANCEL_PATIENCE: u64 = 10_000_000;

/// What is made of a request's end: what a [`Pending`] gives. The engine's requests are the ones there are.
pub trait Finish<K: Kernel>: Sized {
    /// What the asker gets.
    type Output;

    /// Makes it, at any level up to DISPATCH_LEVEL. `buffer` is the request's slot.
    ///
    /// # Errors
    /// What the provider refused.
    fn finish(self, completion: Completion, buffer: Buffer<K>) -> Result<Self::Output, RequestError>;

    /// The asker has lost interest while the request is under way and cancelled: says how it ends instead.
    fn abandon(self, _buffer: &Buffer<K>) {}
}

/// The sockets that count a request as pending until it is done.
pub(crate) struct Targets<K: Kernel> {
    /// The socket it is made of.
    pub of: *const SocketBase<K>,
    /// The socket it makes.
    pub made: *const SocketBase<K>,
}

/// A request that was handed to the provider when this was made, and gives a `T::Output`.
///
/// * `.await` it: a future that needs no allocation. A waker that is not marked for DISPATCH_LEVEL
///   ([`WakeAtDispatch`](crate::WakeAtDispatch)) is called by [`Requests::serve`](crate::Requests::serve).
/// * [`wait`](Pending::wait) for it at PASSIVE_LEVEL, up to a deadline.
/// * Let a function run at its [completion](Pending::on_completion).
/// * Drop it: it is cancelled, and its slot is free when the provider is done with it. A socket that was to come of it, or
///   was given to it, is closed.
///
/// IRP, waker and bytes lie in the request's slot, which stays in place whatever becomes of this.
#[must_use = "dropping it cancels the request"]
pub struct Pending<K: Kernel, T: Finish<K>> {
    /// The slot, the provider's until the word says done; or why there is no request.
    state: Result<Buffer<K>, RequestError>,
    /// `None` once the result was taken.
    finish: Option<T>,
}

impl<K: Kernel, T: Finish<K>> Unpin for Pending<K, T> {}

impl<K: Kernel, T: Finish<K>> Pending<K, T> {
    /// Hands a request over.
    ///
    /// # Safety
    /// Each target counts the request as pending, and stays in place as long as it does. `call` passes the IRP to one WSK
    /// function, with nothing by address but what lies in the slot or outlives the request.
    pub(crate) unsafe fn begin(
        buffer: Buffer<K>,
        finish: T,
        targets: Targets<K>,
        call: impl FnOnce(&Slot<K>, *mut IRP) -> NTSTATUS,
    ) -> Self {
        let kernel = buffer.block().kernel.clone();
        // SAFETY: the slot is the buffer's, which this keeps until it is done or detached; the rest is the caller's
        // promise.
        unsafe { Slot::hand_over(buffer.as_ptr(), &kernel, [targets.of, targets.made], call) };
        Self { state: Ok(buffer), finish: Some(finish) }
    }

    /// One that has failed before it began. What it was given is dropped.
    pub(crate) fn failed(error: RequestError) -> Self {
        Self { state: Err(error), finish: None }
    }

    /// Asks the provider to end it, which it does with its result or with STATUS_CANCELLED. Harmless when it is over.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn cancel(&self) {
        if let Ok(buffer) = &self.state
            && !buffer.slot().word.is_done()
        {
            // SAFETY: initialised with the pool; the slot is not reused before this value takes its result.
            unsafe { buffer.block().kernel.io_cancel_irp(buffer.slot().irp()) };
        }
    }

    /// Whether it is over: the result can be had without waiting.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL.
    pub fn is_over(&self) -> bool {
        self.state.as_ref().map_or(true, |buffer| buffer.slot().word.is_done())
    }

    /// Waits for the result. When `deadline` has passed the request is cancelled, and waited for 1 s more: what has come by
    /// then is the result, as if it had come in time.
    ///
    /// # Errors
    /// [`WaitError::Failed`] when it ended otherwise, with [`RequestError::Cancelled`] where the deadline ended it.
    /// [`WaitError::Outstanding`] gives it back where the provider did not end it.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL. Never from a handler.
    pub fn wait(mut self, deadline: Duration, passive: &Passive<'_>) -> Result<T::Output, WaitError<Self>> {
        if let Ok(buffer) = &self.state {
            if !passive.holds(&buffer.block().kernel) {
                return Err(WaitError::NotPassive(self));
            }
            if !wait_for(buffer, deadline, passive) {
                return Err(WaitError::Outstanding(self));
            }
        }
        self.take().map_err(WaitError::Failed)
    }

    /// Lets `then` run with the result when the request is over: on any thread, perhaps before this returns. `T` and `then`
    /// take at most 192 bytes together.
    ///
    /// # IRQL
    /// At most DISPATCH_LEVEL; `then` runs at DISPATCH_LEVEL, or at PASSIVE_LEVEL by
    /// [`Requests::serve`](crate::Requests::serve).
    pub fn on_completion<F>(mut self, then: F)
    where
        T: Send + 'static,
        F: FnOnce(Result<T::Output, RequestError>) + Send + 'static,
    {
        let Ok(buffer) = &self.state else {
            return then(self.take());
        };
        let Some(finish) = self.finish.take() else { return };
        let slot = buffer.slot();
        drop_waker(slot);
        let remains = slot.remains::<(T, F)>();
        // SAFETY: room that nobody else uses before the request is detached.
        unsafe { remains.write((finish, then)) };
        // SAFETY: this is the asker and has not detached.
        unsafe { slot.end_with(run_then::<K, T, F>, false) };
        let kernel = buffer.block().kernel.clone();
        let Ok(buffer) = core::mem::replace(&mut self.state, Err(RequestError::Closing)) else { return };
        let raw = buffer.into_raw();
        // SAFETY: the slot stays until the word says done and detached.
        if unsafe { raw.as_ref() }.word.detach() {
            Dispatch::with(&kernel, |_| {
                // SAFETY: done and detached: the slot is this thread's.
                unsafe { run_then::<K, T, F>(raw) }
            });
        }
    }

    /// The result of a request that is over.
    fn take(&mut self) -> Result<T::Output, RequestError> {
        let buffer = core::mem::replace(&mut self.state, Err(RequestError::Closing))?;
        let Some(finish) = self.finish.take() else { return Err(RequestError::Closing) };
        drop_waker(buffer.slot());
        // SAFETY: done.
        let completion = unsafe { buffer.slot().completion() };
        finish.finish(completion, buffer)
    }
}

impl<K: Kernel, T: Finish<K>> Future for Pending<K, T> {
    type Output = Result<T::Output, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(buffer) = &self.state else { return Poll::Ready(self.take()) };
        let slot = buffer.slot();
        match slot.word.reclaim() {
            Cell::Done => return Poll::Ready(self.take()),
            Cell::Ending => {
                serve_if_passive(buffer);
                if slot.word.is_done() {
                    return Poll::Ready(self.take());
                }
                // In a moment; and this task may not be who is woken for it.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Cell::Asker => {}
        }
        // SAFETY: reclaimed: the cell is the asker's.
        let cell = unsafe { &mut *slot.waker() };
        match cell {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *cell = Some(cx.waker().clone()),
        }
        match slot.word.offer() {
            Cell::Asker => Poll::Pending,
            Cell::Done => Poll::Ready(self.take()),
            Cell::Ending => {
                // The completer passed before the waker was there.
                *cell = None;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl<K: Kernel, T: Finish<K>> Drop for Pending<K, T> {
    fn drop(&mut self) {
        self.cancel();
        let Ok(buffer) = core::mem::replace(&mut self.state, Err(RequestError::Closing)) else { return };
        drop_waker(buffer.slot());
        if buffer.slot().word.is_ending() && !buffer.slot().word.is_done() {
            serve_if_passive(&buffer);
        }
        if let Some(finish) = self.finish.take() {
            finish.abandon(&buffer);
        }
        let raw = buffer.into_raw();
        // SAFETY: the slot stays until the word says done and detached.
        if unsafe { raw.as_ref() }.word.detach() {
            // SAFETY: done and detached: the slot is this thread's.
            unsafe { conclude_anywhere(raw) };
        }
    }
}

/// Takes the waker back, if it is the asker's, and drops it.
fn drop_waker<K: Kernel>(slot: &Slot<K>) {
    // Done: whatever the completer did with its waker it has done, so what is still there is the asker's.
    if slot.word.reclaim() != Cell::Ending {
        // SAFETY: reclaimed.
        unsafe { *slot.waker() = None };
    }
}

/// For a request that is over and on its way, perhaps by who serves: which is this thread, if it may. Otherwise a task that
/// looks again at once could keep its thread from it for ever.
fn serve_if_passive<K: Kernel>(buffer: &Buffer<K>) {
    if let Some(passive) = Passive::acquire(&buffer.block().kernel) {
        buffer.requests().serve(Duration::ZERO, &passive);
    }
}

/// Waits up to a deadline and cancels; whether the request is over.
fn wait_for<K: Kernel>(buffer: &Buffer<K>, deadline: Duration, passive: &Passive<'_>) -> bool {
    let (slot, kernel) = (buffer.slot(), &buffer.block().kernel);
    if slot.word.is_done() {
        return true;
    }
    drop_waker(slot);
    let wait = |timeout: Option<u64>| {
        // SAFETY: initialised with the pool, and alive with the slot.
        let status = unsafe { kernel.ke_wait_for_single_object(slot.event(), timeout) };
        status == STATUS_SUCCESS
    };
    // SAFETY: as above; nobody signals it before `watch`.
    unsafe { kernel.ke_clear_event(slot.event()) };
    if slot.word.watch() {
        return true;
    }
    let deadline = Deadline::after(kernel, deadline);
    if slot.word.is_ending() {
        // Over, and with a waker that had been left to be called at PASSIVE_LEVEL.
        buffer.requests().serve(Duration::ZERO, passive);
    }
    if wait(Some(deadline.remaining(kernel))) {
        return true;
    }
    // SAFETY: initialised with the pool; the slot is not reused before its result is taken.
    unsafe { kernel.io_cancel_irp(slot.irp()) };
    if wait(Some(CANCEL_PATIENCE)) {
        return true;
    }
    if slot.word.unwatch() {
        // Done, and signalled in a moment.
        return wait(None);
    }
    false
}

/// Ends a request whose asker left a callback.
///
/// # Safety
/// The slot is the caller's, done, and its remains are a `(T, F)`.
unsafe fn run_then<K, T, F>(slot: NonNull<Slot<K>>)
where
    K: Kernel,
    T: Finish<K>,
    F: FnOnce(Result<T::Output, RequestError>),
{
    // SAFETY: the caller's promise.
    let buffer = unsafe { Buffer::from_raw(slot) };
    // SAFETY: written by `on_completion`, read once.
    let (finish, then) = unsafe { buffer.slot().remains::<(T, F)>().read() };
    // SAFETY: done.
    let completion = unsafe { buffer.slot().completion() };
    then(finish.finish(completion, buffer));
}
