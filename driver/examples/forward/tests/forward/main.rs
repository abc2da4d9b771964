//! The filter on this host: the rules, what becomes of each datagram, that none is copied, and the end.

mod fixture;
mod lent;
mod life;
mod rules;
mod teardown;
mod traffic;
