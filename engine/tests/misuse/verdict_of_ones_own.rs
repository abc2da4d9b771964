//! A verdict is made by the indication it is about.

use skua_engine::{Kernel, Verdict};

fn misuse<K: Kernel>() -> Verdict<'static> {
    Verdict { status: skua_engine::abi::status::STATUS_PENDING, accepted: 1 }
}

fn main() {}
