//! Gate: what was put behind it before it opened is there for whoever enters, and ends with the last one inside.

use super::checker::sync::Arc;
use super::checker::thread;

use super::{Exclusive, explore};
use crate::gate::Gate;
use crate::rundown::Released;

struct Shared {
    gate: Gate,
    /// What lies behind the gate; 0 while it is closed.
    value: Exclusive,
}

impl Shared {
    /// Opens it on a value.
    fn put(&self) {
        self.value.set(1);
        self.gate.reopen();
    }

    /// Looks at the value; not everybody who comes knows that the gate has opened.
    fn visit(&self) {
        if self.gate.enter() {
            assert_eq!(self.value.look(), 1);
            self.leave();
        }
    }

    fn take(&self) {
        assert!(self.gate.enter());
        assert!(!self.gate.close(), "this thread is inside");
        self.leave();
    }

    fn leave(&self) {
        if self.gate.leave() == Released::Last {
            self.value.set(0);
        }
    }
}

/// One thread opens it on a value and takes that out again, while another visits. Any number of preemptions.
#[test]
fn who_enters_finds_what_was_put_behind_it() {
    explore(None, || {
        let shared = Arc::new(Shared { gate: Gate::new(), value: Exclusive::new() });
        assert!(shared.gate.close());
        let visitor = {
            let shared = shared.clone();
            thread::spawn(move || shared.visit())
        };
        shared.put();
        shared.take();
        visitor.join().unwrap();
        assert_eq!(shared.value.look(), 0);
        assert_eq!(shared.gate.inside(), 0);
    });
}
