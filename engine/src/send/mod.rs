//! Sending: contexts that hold all that a send needs, filled, handed over and forgotten.

pub(crate) mod batch;
mod completion;
pub(crate) mod context;
pub(crate) mod control;
