//! The verifier before a provider that is not the kernel's own, and with lent memory that is poisoned.

use std::sync::Arc;

use skua_engine::abi::status::{STATUS_FILE_FORCED_CLOSED, STATUS_PENDING, STATUS_SUCCESS};
use skua_hosted::middleware::Layer;
use skua_hosted::{HostConfig, HostKernel, LentMemory, OnFinding, Rule, VerifierConfig, Watch};

use crate::client::Client;
use crate::lent::data_of;
use crate::socket::Socket;

#[test]
fn a_provider_of_another_kernel_is_watched_from_in_front_of_it() {
    let other = HostKernel::new(HostConfig::loopback(2).unverified());
    let mut client = Client::new(&other);
    let kernel = HostKernel::new(HostConfig::loopback(2).recorded());
    // SAFETY: captured, and used through the layer only, until the layer has run down.
    let layer = unsafe { Layer::over(&kernel, client.npi, vec![Arc::new(Watch)]) };
    let provider = std::mem::replace(&mut client.npi, layer.npi());
    // Its packets are this kernel's.
    client.kernel = kernel.clone();
    let socket = Socket::open(&client, |_| STATUS_SUCCESS);
    socket.receive_one();
    assert_eq!(socket.close(), STATUS_SUCCESS);
    assert_eq!(socket.bind().0, STATUS_FILE_FORCED_CLOSED);
    layer.run_down();
    client.npi = provider;
    client.kernel = other;
    client.end();
    let found: Vec<Rule> = kernel.take_findings().iter().map(|finding| finding.rule).collect();
    assert_eq!(found, [Rule::SocketUsedAfterClose]);
}

#[test]
fn a_write_to_memory_that_was_given_back_is_found_in_poison() {
    let verifier = VerifierConfig {
        on_finding: OnFinding::Record,
        lent: LentMemory::Poisoned,
        ..VerifierConfig::default()
    };
    let kernel = HostKernel::new(HostConfig { verifier: Some(verifier), ..HostConfig::loopback(2) });
    let client = Client::new(&kernel);
    let lists = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&lists);
    let socket = Socket::open(&client, move |list| {
        seen.lock().unwrap().push(list.expose_provenance());
        STATUS_PENDING
    });
    socket.receive_one();
    socket.receive_one();
    let lists: Vec<_> =
        lists.lock().unwrap().iter().map(|list| std::ptr::with_exposed_provenance_mut(*list)).collect();
    // SAFETY: retained.
    let data = unsafe { data_of(lists[0]) };
    for list in lists {
        assert_eq!(socket.release(list), STATUS_SUCCESS);
    }
    // SAFETY: a breach, which is what is tested; the memory is the verifier's.
    unsafe { data.write_volatile(1) };
    assert_eq!(socket.close(), STATUS_SUCCESS);
    client.end();
    assert!(kernel.findings().is_empty(), "only when the memory is looked at");
    let found: Vec<Rule> = kernel.clone().unload().iter().map(|finding| finding.rule).collect();
    assert_eq!(found, [Rule::LentMemoryTouched]);
}
