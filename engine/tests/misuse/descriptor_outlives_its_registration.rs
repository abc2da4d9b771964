//! A cached security descriptor is released before the capture it was cached through.

use skua_engine::{Kernel, Provider, SecurityDescriptor};

fn misuse<K: Kernel>(provider: Provider<K>) {
    let descriptor = cache(&provider);
    drop(provider);
    drop(descriptor);
}

fn cache<K: Kernel>(_provider: &Provider<K>) -> SecurityDescriptor<'_, K> {
    unimplemented!()
}

fn main() {}
