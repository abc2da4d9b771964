//! Wakers that may be called at DISPATCH_LEVEL, told from those that may not.

// UNSAFETY: a trait whose implementation is a promise.
#![expect(unsafe_code, reason = "what a waker's functions do cannot be seen, only vouched for")]

use core::task::{RawWakerVTable, Waker};

/// An executor whose wakers may be called and dropped at DISPATCH_LEVEL.
///
/// # Safety
/// The functions behind [`vtable`](WakeAtDispatch::vtable) that wake and drop run at DISPATCH_LEVEL: they touch nonpaged
/// memory and code only, and do not wait, allocate or panic.
pub unsafe trait WakeAtDispatch {
    /// The table of its wakers. One static: wakers are known by its address.
    fn vtable() -> &'static RawWakerVTable;
}

/// The wakers that completions call themselves. Others are called by [`Requests::serve`](crate::Requests::serve).
#[derive(Clone, Copy, Debug)]
pub struct DispatchWaker(&'static RawWakerVTable);

impl DispatchWaker {
    /// Those of the executor `W`.
    #[must_use]
    pub fn of<W: WakeAtDispatch>() -> Self {
        Self(W::vtable())
    }

    pub(crate) fn is(&self, waker: &Waker) -> bool {
        core::ptr::eq(self.0, waker.vtable())
    }
}
