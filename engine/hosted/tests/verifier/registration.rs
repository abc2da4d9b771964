//! Programs that break rules of registrations and of the provider's NPI.

use skua_engine::abi::wsk::WSK_REGISTRATION;
use skua_engine::abi::zeroed;
use skua_hosted::HostKernel;

use crate::client::Client;

crate::cases! {
    RegistrationUnknown: deregistering_twice, capturing_without_registration;
    NpiNotCaptured: releasing_twice;
    DeregistrationBlocked: deregistering_before_the_release;
    Leaked: leaving_a_registration, leaving_a_capture;
}

fn deregistering_twice(kernel: &HostKernel) {
    let client = Client::new(kernel);
    client.end();
    client.deregister();
}

fn capturing_without_registration(kernel: &HostKernel) {
    let mut client = Client::new(kernel);
    let registered = client.registration;
    client.registration = Box::leak(Box::new(zeroed::<WSK_REGISTRATION>()));
    assert!(!client.capture().is_success());
    client.registration = registered;
    client.end();
}

fn releasing_twice(kernel: &HostKernel) {
    let client = Client::new(kernel);
    client.release();
    client.end();
}

fn deregistering_before_the_release(kernel: &HostKernel) {
    let client = Client::new(kernel);
    client.deregister();
    // It was given up, and can be done properly.
    client.end();
}

fn leaving_a_registration(kernel: &HostKernel) {
    Client::new(kernel).release();
}

fn leaving_a_capture(kernel: &HostKernel) {
    let _ = Client::new(kernel);
}
