//! Rules of IRQL and spin locks.

use std::sync::Mutex;
use std::thread::ThreadId;

use skua_engine::abi::nt::{KIRQL, PASSIVE_LEVEL};

use super::{Object, ObjectKind, Rule, Stack, Verifier};
use crate::HostKernel;
use crate::kernel::lock::hold;

/// Who holds the cancel spin lock of a verified kernel.
#[derive(Default)]
pub(crate) struct Levels {
    cancel: Mutex<Option<ThreadId>>,
}

impl Levels {
    pub(crate) fn note_acquired(&self) {
        *hold(&self.cancel) = Some(std::thread::current().id());
    }

    /// Whether the calling thread held it, which it then does no longer.
    pub(crate) fn note_released(&self) -> bool {
        let mut holder = hold(&self.cancel);
        let mine = *holder == Some(std::thread::current().id());
        if mine {
            *holder = None;
        }
        mine
    }

    pub(crate) fn holds_cancel_lock(&self) -> bool {
        *hold(&self.cancel) == Some(std::thread::current().id())
    }
}

impl Verifier {
    /// A cancel routine has returned, which was called with the cancel spin lock held.
    #[cold]
    pub(crate) fn cancel_routine_returned(&self, kernel: &HostKernel, irql: KIRQL, code: usize) {
        if !self.levels.holds_cancel_lock() {
            return;
        }
        let message = "a cancel routine returned without IoReleaseCancelSpinLock(Irp->CancelIrql)".to_owned();
        let object = Object { kind: ObjectKind::Callback, address: code };
        self.find(Rule::SpinLockHeld, object, None, message);
        kernel.io_release_cancel_spin_lock(irql);
    }
}

impl Verifier {
    #[cold]
    fn is_passive(&self, kernel: &HostKernel, routine: &str) -> bool {
        let passive = kernel.irql() == PASSIVE_LEVEL;
        if !passive {
            let message =
                format!("{routine} was called at DISPATCH_LEVEL: it may only be called at PASSIVE_LEVEL");
            self.find(Rule::IrqlTooHigh, Object::THREAD, None, message);
        }
        passive
    }

    #[cold]
    fn may_wait(&self, kernel: &HostKernel, routine: &str) -> bool {
        let (rule, why) = if self.levels.holds_cancel_lock() {
            (Rule::SpinLockHeld, "while this thread holds the cancel spin lock")
        } else if kernel.irql() != PASSIVE_LEVEL {
            (
                Rule::WaitAtDispatchLevel,
                "at DISPATCH_LEVEL with a time-out that is not zero; PASSIVE_LEVEL is needed",
            )
        } else {
            return true;
        };
        self.find(rule, Object::THREAD, None, format!("{routine} was called {why}"));
        false
    }
}

impl HostKernel {
    /// Where the verifier is on, whether `routine` may be called now, which takes PASSIVE_LEVEL; true where it is off.
    #[inline]
    pub(crate) fn require_passive(&self, routine: &str) -> bool {
        self.verifier().is_none_or(|verifier| verifier.is_passive(self, routine))
    }

    /// As [`HostKernel::require_passive`], of a wait that may last.
    #[inline]
    pub(crate) fn may_wait(&self, routine: &str) -> bool {
        self.verifier().is_none_or(|verifier| verifier.may_wait(self, routine))
    }

    /// Lowers to `irql`, unless that is not what the last raise returned.
    #[inline]
    pub(crate) fn lower(&self, irql: KIRQL) {
        if let Err(raised) = self.processors().lower(irql) {
            self.lowered_wrongly(irql, raised);
        }
    }

    #[cold]
    fn lowered_wrongly(&self, irql: KIRQL, raised: u32) {
        if self.verifier().is_some_and(|verifier| verifier.levels.holds_cancel_lock()) {
            let message = format!("KeLowerIrql({irql}) while this thread holds the cancel spin lock");
            return self.breach(Rule::SpinLockHeld, Object::THREAD, message);
        }
        let message = match raised {
            0 => format!(
                "KeLowerIrql({irql}): this thread is at PASSIVE_LEVEL, it has not raised in this kernel"
            ),
            _ => format!(
                "KeLowerIrql({irql}): this thread has raised {raised} times; levels are lowered in reverse order, to \
                 what each raise returned"
            ),
        };
        self.breach(Rule::IrqlLoweredWrongly, Object::THREAD, message);
    }

    /// Calls `callback`, a routine of the client for an object that was made at `created`, and sees to it that it returns
    /// at the level it was called at.
    #[inline]
    pub(crate) fn at_same_level<T>(
        &self,
        what: &str,
        (object, created): (Object, Option<Stack>),
        callback: impl FnOnce() -> T,
    ) -> T {
        let Some(verifier) = self.verifier() else { return callback() };
        let before = self.processors().raised();
        let answer = callback();
        let after = self.processors().raised();
        if before != after {
            self.processors().restore(before);
            let message = if before < after {
                format!("{what} has raised the IRQL {} times and not lowered it", after - before)
            } else {
                format!("{what} has lowered the IRQL {} times without having raised it", before - after)
            };
            verifier.find(Rule::IrqlNotRestored, object, created, message);
        }
        answer
    }
}
