//! Faults in lent memory: a handler of SIGSEGV that turns them into findings.

// UNSAFETY: installs a signal handler, which follows what was registered.
#![expect(unsafe_code, reason = "signal handlers are C functions")]

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::Verifier;

/// Kernels of one process whose lent memory is protected, at once.
const KERNELS: usize = 256;

/// What the handler knows of one kernel.
///
/// # Invariants
/// While `verifier` is not null it is valid, and `start..end` are its pages. `verifier` is written last when a place is
/// taken, and first when it is given up.
struct Place {
    taken: AtomicUsize,
    start: AtomicUsize,
    end: AtomicUsize,
    verifier: AtomicPtr<Verifier>,
}

static PLACES: [Place; KERNELS] = [const {
    Place {
        taken: AtomicUsize::new(0),
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        verifier: AtomicPtr::new(ptr::null_mut()),
    }
}; KERNELS];

/// What handled SIGSEGV before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Pages are watched until this is dropped.
pub(super) struct Watched(&'static Place);

impl Watched {
    /// `None` when too many are, or the handler cannot be installed.
    pub(super) fn new(pages: Range<usize>, verifier: *const Verifier) -> Option<Self> {
        install()?;
        let free =
            |place: &&Place| place.taken.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        let place = PLACES.iter().find(free)?;
        place.start.store(pages.start, Ordering::SeqCst);
        place.end.store(pages.end, Ordering::SeqCst);
        place.verifier.store(verifier.cast_mut(), Ordering::SeqCst);
        Some(Self(place))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.verifier.store(ptr::null_mut(), Ordering::SeqCst);
        self.0.taken.store(0, Ordering::SeqCst);
    }
}

/// Once a process. Not on the alternate stack, which is too small to walk the stack on: an overflow of a thread's stack,
/// which needs that one, ends the process without std's message.
fn install() -> Option<()> {
    if BEFORE.get().is_some() {
        return Some(());
    }
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let handler: unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = handle;
    // SAFETY: zeroed, which is an action without handler and mask.
    unsafe { (*action.as_mut_ptr()).sa_sigaction = handler as usize };
    // SAFETY: as above.
    unsafe { (*action.as_mut_ptr()).sa_flags = libc::SA_SIGINFO };
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the handler does what handlers may, to addresses that were registered, and leaves others to the one before.
    if unsafe { libc::sigaction(libc::SIGSEGV, action.as_ptr(), before.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: filled in by the call. Of two threads that install, the second finds this handler, and the first's is kept.
    let before = unsafe { before.assume_init() };
    if before.sa_sigaction != handler as usize {
        BEFORE.get_or_init(|| before);
    }
    Some(())
}

unsafe extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the host gives a description of the fault.
    let info = unsafe { &*info };
    // SAFETY: SIGSEGV has an address.
    let address = unsafe { info.si_addr() }.addr();
    let place = PLACES.iter().find(|place| {
        let (start, end) = (place.start.load(Ordering::SeqCst), place.end.load(Ordering::SeqCst));
        (start..end).contains(&address)
    });
    // SAFETY: valid while it is not null; the pages go after it.
    let verifier = place.and_then(|place| unsafe { place.verifier.load(Ordering::SeqCst).as_ref() });
    // After a finding that is recorded the page can be read, and the instruction is done again.
    if verifier.is_some_and(|verifier| verifier.lent_touched(address)) {
        return;
    }
    // As if there were no such handler: the instruction faults again.
    if let Some(before) = BEFORE.get() {
        // SAFETY: it was installed before.
        unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
    }
}
