//! Processes and threads as far as they matter to whom a request belongs to: objects with tokens.
//!
//! Every thread of the host is one of this kernel's the first time that it asks. It belongs to the system process, unless it
//! is attached to another.

use std::cell::RefCell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, Weak};

use skua_engine::abi::nt::{PEPROCESS, PETHREAD};

use super::HostKernel;
use super::lock::hold;
use crate::security::Token;

/// A process of a [`HostKernel`]. While this or a clone exists, or a socket that it owns, its address is its own.
#[derive(Clone, Debug)]
pub struct Process(Arc<ProcessObject>);

/// What PEPROCESS points at.
#[derive(Debug)]
struct ProcessObject {
    token: Token,
}

/// What PETHREAD points at.
#[derive(Debug, Default)]
struct ThreadObject {
    /// Set while the thread impersonates.
    impersonated: Mutex<Option<Token>>,
}

/// The objects of one kernel, by address.
#[derive(Debug)]
pub(crate) struct Processes {
    system: Process,
    processes: Mutex<HashMap<usize, Weak<ProcessObject>>>,
    threads: Mutex<HashMap<usize, Weak<ThreadObject>>>,
}

/// The calling thread, as one kernel knows it.
struct Current {
    kernel: Weak<Processes>,
    thread: Arc<ThreadObject>,
    /// Innermost last.
    attached: Vec<Process>,
}

thread_local! {
    static CURRENT: RefCell<Vec<Current>> = const { RefCell::new(Vec::new()) };
}

/// On whose behalf a socket was created.
///
/// # Invariants
/// It holds the objects, as a reference of the object manager would.
#[derive(Clone, Debug)]
pub(crate) struct SecurityContext {
    process: Process,
    thread: Option<Arc<ThreadObject>>,
}

impl SecurityContext {
    /// What it acts as now: as the thread impersonates, or as the process is.
    pub(crate) fn token(&self) -> Token {
        let impersonated = self.thread.as_ref().and_then(|thread| hold(&thread.impersonated).clone());
        impersonated.unwrap_or_else(|| self.process.0.token.clone())
    }
}

impl Process {
    /// Its address, as WskSocket takes it for `OwningProcess`.
    #[must_use]
    pub fn as_ptr(&self) -> PEPROCESS {
        Arc::as_ptr(&self.0).cast_mut().cast()
    }
}

/// The calling thread runs in another process until this is dropped.
#[must_use]
pub struct Attached {
    kernel: HostKernel,
    /// It is about the thread that made it.
    bound: PhantomData<*mut ()>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.kernel.processes().with_current(|current| current.attached.pop());
    }
}

/// The calling thread impersonates until this is dropped.
#[must_use]
pub struct Impersonating {
    thread: Arc<ThreadObject>,
    before: Option<Token>,
    /// As for [`Attached`].
    bound: PhantomData<*mut ()>,
}

impl Drop for Impersonating {
    fn drop(&mut self) {
        *hold(&self.thread.impersonated) = self.before.take();
    }
}

impl HostKernel {
    /// A process with a token of its own.
    #[must_use]
    pub fn create_process(&self, token: Token) -> Process {
        let processes = self.processes();
        let process = Process(Arc::new(ProcessObject { token }));
        let mut known = hold(&processes.processes);
        known.retain(|_, object| object.strong_count() > 0);
        known.insert(process.as_ptr().addr(), Arc::downgrade(&process.0));
        process
    }

    /// KeStackAttachProcess of the calling thread, and KeUnstackDetachProcess when the result is dropped. Nested ones are
    /// dropped in reverse order.
    pub fn attach_process(&self, process: &Process) -> Attached {
        self.processes().with_current(|current| current.attached.push(process.clone()));
        Attached { kernel: self.clone(), bound: PhantomData }
    }

    /// PsImpersonateClient of the calling thread, and PsRevertToSelf when the result is dropped.
    pub fn impersonate(&self, token: Token) -> Impersonating {
        let thread = self.processes().with_current(|current| Arc::clone(&current.thread));
        let before = hold(&thread.impersonated).replace(token);
        Impersonating { thread, before, bound: PhantomData }
    }

    /// PsInitialSystemProcess, whose token is [`Token::system`].
    #[must_use]
    pub fn ps_initial_system_process(&self) -> PEPROCESS {
        self.processes().system.as_ptr()
    }

    /// IoGetCurrentProcess.
    #[must_use]
    pub fn io_get_current_process(&self) -> PEPROCESS {
        self.processes().current_process().as_ptr()
    }

    /// PsGetCurrentThread. The address is the thread's until it ends, or while a socket has it.
    #[must_use]
    pub fn ps_get_current_thread(&self) -> PETHREAD {
        self.processes().with_current(|current| Arc::as_ptr(&current.thread).cast_mut().cast())
    }
}

impl Processes {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            system: Process(Arc::new(ProcessObject { token: Token::system() })),
            processes: Mutex::default(),
            threads: Mutex::default(),
        })
    }

    /// The context that a client asks for, where null is the current process and no thread.
    ///
    /// Addresses of objects that this kernel did not make are those of another, where clients run on one
    /// ([`Executive`](super::Executive)): its objects tell nothing here, and such a process stands for the system's, such a
    /// thread for one that does not impersonate.
    pub(crate) fn context(self: &Arc<Self>, process: PEPROCESS, thread: PETHREAD) -> SecurityContext {
        let process = if process.is_null() {
            self.current_process()
        } else {
            let known = hold(&self.processes).get(&process.addr()).and_then(Weak::upgrade);
            known.map_or_else(|| self.system.clone(), Process)
        };
        let thread = hold(&self.threads).get(&thread.addr()).and_then(Weak::upgrade);
        SecurityContext { process, thread }
    }

    /// Whether the calling thread impersonates.
    pub(crate) fn is_impersonating(self: &Arc<Self>) -> bool {
        self.with_current(|current| hold(&current.thread.impersonated).is_some())
    }

    fn current_process(self: &Arc<Self>) -> Process {
        self.with_current(|current| current.attached.last().cloned()).unwrap_or_else(|| self.system.clone())
    }

    fn with_current<R>(self: &Arc<Self>, then: impl FnOnce(&mut Current) -> R) -> R {
        CURRENT.with_borrow_mut(|kernels| {
            let is_own = |current: &Current| Weak::as_ptr(&current.kernel) == Arc::as_ptr(self);
            if !kernels.iter().any(is_own) {
                kernels.retain(|current| current.kernel.strong_count() > 0);
                let thread = Arc::<ThreadObject>::default();
                let mut known = hold(&self.threads);
                known.retain(|_, object| object.strong_count() > 0);
                known.insert(Arc::as_ptr(&thread).addr(), Arc::downgrade(&thread));
                kernels.push(Current { kernel: Arc::downgrade(self), thread, attached: Vec::new() });
            }
            let own = kernels.iter_mut().find(|current| is_own(current));
            // Found or pushed just now.
            then(own.unwrap_or_else(|| unreachable!("the calling thread is known")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostConfig;
    use crate::security::Sid;

    #[test]
    fn a_context_is_the_threads_or_the_processs_and_else_the_current_ones() {
        let kernel = HostKernel::new(HostConfig::loopback(1));
        let processes = Arc::clone(kernel.processes());
        fn none<T>() -> *mut T {
            std::ptr::null_mut()
        }
        let token = |process, thread| processes.context(process, thread).token();
        assert_eq!(kernel.io_get_current_process(), kernel.ps_initial_system_process());
        assert_eq!(token(none(), none()), Token::system());
        let alice = Token::new(Sid::LOCAL_SERVICE);
        let process = kernel.create_process(alice.clone());
        assert_eq!(token(process.as_ptr(), none()), alice);
        {
            let _attached = kernel.attach_process(&process);
            assert_eq!(kernel.io_get_current_process(), process.as_ptr());
            assert_eq!(token(none(), none()), alice);
        }
        assert_eq!(token(none(), none()), Token::system());
        let thread = kernel.ps_get_current_thread();
        let kept = processes.context(process.as_ptr(), thread);
        assert_eq!(kept.token(), alice, "it does not impersonate");
        let everyone = Token::new(Sid::EVERYONE);
        let impersonating = kernel.impersonate(everyone.clone());
        assert_eq!(kept.token(), everyone);
        assert_eq!(token(process.as_ptr(), none()), alice, "another thread's impersonation does not count");
        assert!(processes.is_impersonating());
        assert!(!std::thread::scope(|scope| scope.spawn(|| processes.is_impersonating()).join().unwrap()));
        drop(impersonating);
        assert_eq!(kept.token(), alice);
        // Of another kernel.
        let foreign = std::ptr::without_provenance_mut(4);
        let foreign_thread = std::ptr::without_provenance_mut(8);
        assert_eq!(token(foreign, foreign_thread), Token::system());
    }
}
