//! Virtual processors: raising IRQL gives a thread one of them, lowering gives it back.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_utils::CachePadded;
use skua_engine::abi::nt::{DISPATCH_LEVEL, KIRQL, PASSIVE_LEVEL};

use super::lock::Seat;

/// The processors of one kernel.
///
/// # Invariants
/// A thread whose [`Level`] names this kernel occupies the seat of `Level::processor`.
#[derive(Debug)]
pub(crate) struct Processors {
    seats: Box<[CachePadded<Seat>]>,
    /// Where the next thread without a home gets one.
    next: AtomicU32,
    /// What threads remember this kernel by; never given twice in a process.
    kernel: u64,
}

/// The level of a thread. A thread can be raised in one kernel at a time.
#[derive(Clone, Copy)]
struct Level {
    /// How often it raised; 0 is PASSIVE_LEVEL and leaves the other fields without meaning.
    raised: u32,
    processor: u32,
    kernel: u64,
}

/// The processor a thread prefers.
#[derive(Clone, Copy)]
struct Home {
    /// 0 for none.
    kernel: u64,
    processor: u32,
    /// Takes no other one.
    bound: bool,
}

thread_local! {
    static LEVEL: Cell<Level> = const { Cell::new(Level { raised: 0, processor: 0, kernel: 0 }) };
    static HOME: Cell<Home> = const { Cell::new(Home { kernel: 0, processor: 0, bound: false }) };
}

impl Processors {
    /// `count` processors, at least one.
    pub(crate) fn new(count: u32, kernel: u64) -> Self {
        let seats = (0..count.max(1)).map(|_| CachePadded::new(Seat::default())).collect();
        Self { seats, next: AtomicU32::new(0), kernel }
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.seats.len()).unwrap_or(u32::MAX)
    }

    /// The calling thread takes `processor` from now on and waits for it where it must.
    pub(crate) fn bind(&self, processor: u32) {
        HOME.set(Home { kernel: self.kernel, processor: processor % self.count(), bound: true });
    }

    pub(crate) fn irql(&self) -> KIRQL {
        if self.level().is_some() { DISPATCH_LEVEL } else { PASSIVE_LEVEL }
    }

    /// The processor that the thread holds, or would ask for first.
    pub(crate) fn current(&self) -> u32 {
        match self.level() {
            Some(level) => level.processor,
            None => self.home().processor,
        }
    }

    /// Raises, waiting for a processor when the thread has none.
    pub(crate) fn raise(&self) -> KIRQL {
        let level = LEVEL.get();
        if level.raised > 0 {
            return self.raise_again(level);
        }
        let home = self.home();
        self.occupy(if home.bound { self.wait_for(home.processor) } else { self.find(home.processor) });
        PASSIVE_LEVEL
    }

    /// As [`Processors::raise`], but on `processor` unless the thread holds one already.
    pub(crate) fn raise_on(&self, processor: u32) -> KIRQL {
        let level = LEVEL.get();
        if level.raised > 0 {
            return self.raise_again(level);
        }
        self.occupy(self.wait_for(processor % self.count()));
        PASSIVE_LEVEL
    }

    /// Undoes one raise, which returned `irql`. Does nothing when that is not what the last raise of this thread
    /// returned, and says how often it has raised.
    #[inline]
    pub(crate) fn lower(&self, irql: KIRQL) -> Result<(), u32> {
        let level = self.level().ok_or(0u32)?;
        let raised = level.raised - 1;
        if (raised == 0) != (irql == PASSIVE_LEVEL) {
            return Err(level.raised);
        }
        LEVEL.set(Level { raised, ..level });
        if raised == 0 {
            self.seat(level.processor).leave();
        }
        Ok(())
    }

    /// How often this thread has raised and not lowered.
    pub(crate) fn raised(&self) -> u32 {
        self.level().map_or(0, |level| level.raised)
    }

    /// Raises or lowers until the thread has raised so often.
    pub(crate) fn restore(&self, raised: u32) {
        while self.raised() < raised {
            let _ = self.raise();
        }
        while self.raised() > raised {
            // What the raise returned that is undone.
            let irql = if self.raised() == 1 { PASSIVE_LEVEL } else { DISPATCH_LEVEL };
            let _ = self.lower(irql);
        }
    }

    fn level(&self) -> Option<Level> {
        let level = LEVEL.get();
        (level.raised > 0 && level.kernel == self.kernel).then_some(level)
    }

    fn raise_again(&self, level: Level) -> KIRQL {
        assert!(
            level.kernel == self.kernel,
            "KeRaiseIrqlToDpcLevel: this thread is raised in another kernel; it holds that one's processor"
        );
        LEVEL.set(Level { raised: level.raised + 1, ..level });
        DISPATCH_LEVEL
    }

    fn occupy(&self, processor: u32) {
        LEVEL.set(Level { raised: 1, processor, kernel: self.kernel });
    }

    fn wait_for(&self, processor: u32) -> u32 {
        self.seat(processor).enter();
        processor
    }

    /// The preferred processor if it is free, else any free one, else the preferred one as soon as it is.
    fn find(&self, preferred: u32) -> u32 {
        let count = self.count();
        for offset in 0..count {
            let processor = (preferred + offset) % count;
            if self.seat(processor).try_enter() {
                return processor;
            }
        }
        self.wait_for(preferred)
    }

    fn home(&self) -> Home {
        let home = HOME.get();
        if home.kernel == self.kernel {
            return home;
        }
        let processor = self.next.fetch_add(1, Ordering::Relaxed) % self.count();
        let home = Home { kernel: self.kernel, processor, bound: false };
        HOME.set(home);
        home
    }

    fn seat(&self, processor: u32) -> &Seat {
        // Processors are named by this type only, and always modulo the count.
        &self.seats[processor as usize]
    }
}
