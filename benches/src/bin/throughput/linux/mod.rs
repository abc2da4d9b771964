//! Measuring, which takes Linux: processor clocks of other processes, affinities, network namespaces.
//!
//! ```text
//! run ─┬─ network      loopback, or two namespaces and a pair of interfaces between them
//!      ├─ contestant   every receiver there is, and how it is started
//!      └─ measure      one receiver in one case, once
//!          ├─ child ── send          the sender's process, on its core
//!          ├─ child ── receive       a receiver of this program, on its core
//!          │           or skua, or a foreign program
//!          └─ processor_time         of the receiver's process, before and after
//! ```

mod child;
mod contestant;
mod link;
mod measure;
mod network;
mod processor_time;
mod program;
pub(crate) mod receive;
mod run;
pub(crate) mod send;
mod setting;
mod waiting;

pub(crate) use contestant::list;
pub(crate) use run::run;
pub(crate) use setting::Setting;
