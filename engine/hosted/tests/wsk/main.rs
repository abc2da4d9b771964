//! The provider's rules, driven through the plain C ABI of WSK: each test is named after the rule that it proves.

#![expect(unsafe_code, reason = "the C ABI is spoken by hand")]

mod accepted;
mod address_list;
mod ancillary;
mod bind;
mod close;
mod coalesce;
mod connect;
mod connect_cancel;
mod control;
mod control_client;
mod create;
mod disconnect;
mod executive;
mod inject;
mod inspect;
mod kernel;
#[path = "../shared/layer.rs"]
mod layer;
mod listen;
mod loss;
mod memberships;
mod middleware;
mod moderation;
mod names;
mod options;
mod race;
mod raw;
mod raw_socket;
mod receive_event;
mod receive_from;
mod recverr;
mod registration;
mod rest;
mod send;
mod sharing;
mod silent;
mod stream;
mod stream_event;
mod stream_memory;
mod stream_race;
mod stream_receive;
mod stream_send;
mod volume;
mod workers;
