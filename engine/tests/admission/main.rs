//! What admission lets in, refuses and remembers, against models that a person can check by eye.

mod allow;
mod limits;
mod live;
mod open;
mod pool;
mod prefix;
mod rate;
mod replace;
mod sample;
mod sources;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU32;

use skua_engine::Address;
use skua_engine::admission::{Admission, AdmissionConfig, AdmissionShard, Prefix, Rate};

use pool::Pool;

/// Ticks a second of the performance counter on most Windows machines.
const FREQUENCY: u64 = 10_000_000;

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate { per_second: count(per_second), burst: count(burst) }
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
}

fn address(text: &str) -> Address {
    Address::from(text.parse::<IpAddr>().unwrap())
}

fn ipv4(number: u32) -> Address {
    Address::from(IpAddr::V4(Ipv4Addr::from(number)))
}

fn ipv6(number: u128) -> Address {
    Address::from(IpAddr::V6(Ipv6Addr::from(number)))
}

/// An admission of one shard.
fn open(config: &AdmissionConfig<'_>) -> (Admission<Pool>, AdmissionShard) {
    let admission = Admission::open(&Pool::default(), config, 1, FREQUENCY).unwrap();
    let shard = admission.shard(0).unwrap();
    (admission, shard)
}
