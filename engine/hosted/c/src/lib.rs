//! Winsock Kernel as a C library: what netio.sys and ntoskrnl.exe export, as far as a client of WSK uses it.
//!
//! A program in C includes `wdm.h` and `wsk.h` from `include`, links this library, and is a driver and its kernel in one
//! process. The provider, the kernel and the verifier are [`skua_hosted`]'s; here is what gives them C names, and what
//! drivers use besides.
//!
//! # Life cycle
//!
//! 1. A program may call `SkuaConfigure` (`control`); the environment says what it does not.
//! 2. The first routine that needs it makes the kernel (`host`). It lives until the process ends.
//! 3. The program is a client: its own `main` calls the routines, or `SkuaDriverMain` loads its `DriverEntry` (`driver`).
//! 4. Findings of the verifier are lines on standard error, and are kept for the program to ask for.
//! 5. At exit, what was not given back is a finding too.
//!
//! # Conventions
//!
//! A function with a name in NT's case is an export, made by `routines!`; its prototype is in `include`, and tests hold the
//! two together.

#[macro_use]
mod routines;

mod address;
mod cancel;
mod clock;
mod control;
mod device;
mod dispatcher;
mod dpc;
mod driver;
mod host;
mod interlocked;
mod irp;
mod level;
mod lookaside;
mod mdl;
mod number;
mod object;
mod pool;
mod print;
mod processor;
mod rundown;
mod runtime;
mod security;
mod spin_lock;
mod string;
mod thread;
mod timer;
mod wait_lock;
mod work;
mod wsk;
