//! From the stack to the client: blocks that are lent, workers that fill them, and the requests that wait for one.

mod ancillary;
mod arena;
mod block;
mod coalesce;
mod freelist;
mod moderation;
mod pending;
mod worker;

pub(crate) use ancillary::{Arrival, ControlWriter, Wanted, delivery_flags, mapped, unmapped};
pub(crate) use arena::Arena;
pub(crate) use block::{BlockRef, CONTROL_BYTES, MdlOf};
#[cfg(any(target_os = "linux", windows))]
pub(crate) use block::{HEAD_BYTES, TAIL_BYTES};
pub(crate) use pending::ReceiveRequest;
pub(crate) use worker::{Bell, Worker, WorkerPlan};
