//! The provider's rules, driven through the plain C ABI of WSK: each test is named after the rule that it proves.

#![expect(unsafe_code, reason = "the C ABI is spoken by hand")]

mod ancillary;
mod bind;
mod close;
mod create;
mod executive;
mod inject;
mod kernel;
mod loss;
mod race;
mod raw;
mod receive_event;
mod receive_from;
mod registration;
mod rest;
mod send;
