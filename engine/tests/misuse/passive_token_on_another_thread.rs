//! The token speaks of the thread that took it.

use skua_engine::{Kernel, Passive};

fn misuse<K: Kernel>(kernel: &K) {
    let passive = Passive::acquire(kernel);
    std::thread::scope(|scope| {
        scope.spawn(move || drop(passive));
    });
}

fn main() {}
