//! What skua.sys, and any other WSK client, runs on under Wine: a shim for ntoskrnl.exe with the WSK provider behind it.
//!
//! Wine loads drivers into a user process, lacks some of ntoskrnl's routines, and has none of WSK's datagram sockets. In
//! the copy of the driver that is to run there, the name `ntoskrnl.exe` is replaced in the import table by that of this
//! image, `ntosshim.exe`, and `netio.sys` by that of an image which forwards to this one, `wskio.sys`. This image exports
//! what Wine lacks or gets wrong, and every other name as a forward to Wine's own ntoskrnl.exe.
//!
//! # Life cycle
//!
//! 1. `build.rs` reads the names that Wine's ntoskrnl.exe exports, and makes a forward of each that is not here.
//! 2. The loader brings this image in with the first driver that imports it; it pins itself, for its threads.
//! 3. The first routine that needs it makes the kernel: skua-hosted's, over Wine's I/O manager and this host's sockets.
//! 4. Drivers come and go. What they break of NT's rules is a line on standard error (see `report`).
//! 5. The process ends.
//!
//! # Conventions
//!
//! A function with a name in NT's case is an export, and the other way round: `build.rs` looks for them. Levels are
//! `level`'s: a thread at DISPATCH_LEVEL has one of the virtual processors to itself, as the engine needs.
//!
//! Off Windows only the decoding of events is compiled, to be tested.

#[cfg(windows)]
mod access;
#[cfg(windows)]
mod cancel;
#[cfg(windows)]
mod clock;
#[cfg(windows)]
mod dpc;
#[cfg(windows)]
mod etw;
#[cfg(windows)]
mod host;
#[cfg(windows)]
mod image;
#[cfg(windows)]
mod level;
#[cfg(windows)]
mod mdl;
#[cfg(windows)]
mod packet;
#[cfg(windows)]
mod passive;
#[cfg(windows)]
mod pool;
#[cfg(windows)]
mod processor;
#[cfg(windows)]
mod raise;
#[cfg(windows)]
mod real;
#[cfg(windows)]
mod report;
#[cfg(windows)]
mod rundown;
#[cfg(windows)]
mod settings;
#[cfg(windows)]
mod spin_lock;
#[cfg(windows)]
mod system_routine;
#[cfg(windows)]
mod work;
#[cfg(windows)]
mod wsk;

#[cfg(all(test, not(windows)))]
#[path = "etw/decode.rs"]
mod decode;
