//! Receiving: from the provider's list to the handler's batch.

pub(crate) mod ancillary;
pub(crate) mod batch;
pub(crate) mod coalesced;
pub(crate) mod entry;
pub(crate) mod event;
pub(crate) mod gather;
pub(crate) mod payload;
pub(crate) mod retained;
pub(crate) mod round;
pub(crate) mod shape;
