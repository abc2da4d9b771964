//! The driver over the user-mode kernel: what its public face promises, seen from outside.

mod executive;
mod host;
