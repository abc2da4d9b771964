//! What skua-pools promises, proved through its public face.

mod counters;
mod heap;
mod memory;
mod pool;
mod pool_model;
mod pool_stress;
mod ring;
mod ring_bytes;
mod ring_hostile;
mod ring_model;
mod ring_stress;
mod rundown;
