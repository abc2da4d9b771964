//! The engine's functions for C, called as C calls them, over the user-mode kernel.

// UNSAFETY: calls functions in C.
#![expect(unsafe_code, reason = "what is tested is functions in C")]

mod closing;
mod fixture;
mod lists;
mod numbers;
mod services;
