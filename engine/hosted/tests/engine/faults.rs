//! Running out, at every place where something is taken.

use skua_engine::{
    BeyondBudget, Config, Engine, Events, OpenError, OpenSocketError, Passive, RegisterError, Registration,
    Retention,
};
use skua_hosted::{HostConfig, HostKernel};

use crate::fixture::{PATIENCE, Policy, Recorder, told};

fn config() -> Config<'static> {
    let retention =
        Retention { datagrams: 4, bytes: 4096, beyond: BeyondBudget::Copy, copy_slots: 4, copy_bytes: 512 };
    Config { send_slots: 4, send_bytes: 512, magazine: 2, retention, ..Config::default() }
}

#[test]
fn every_allocation_that_fails_is_an_error_from_open_and_leaks_nothing() {
    for nth in 1.. {
        let kernel = HostKernel::new(HostConfig::default());
        kernel.fail_allocation(nth);
        let passive = Passive::acquire(&kernel).unwrap();
        match Registration::register(kernel.clone(), Events::Static, &passive) {
            Err(error) => assert_eq!(error, RegisterError::OutOfMemory),
            Ok(registration) => {
                let provider = registration.capture(PATIENCE, &passive).unwrap();
                let (recorder, _ends) = Recorder::new(Policy::Consume);
                match Engine::open(kernel.clone(), recorder, &config(), &passive) {
                    Err(error) => assert!(
                        error.status() == skua_engine::abi::status::STATUS_INSUFFICIENT_RESOURCES,
                        "{error}"
                    ),
                    Ok(engine) => match engine.open_socket(&provider, &told("127.0.0.1:0"), &passive) {
                        Err(error) => assert!(matches!(error, OpenSocketError::OutOfMemory), "{error}"),
                        Ok(socket) => {
                            socket.close(PATIENCE, &passive).unwrap();
                            kernel.fail_allocation(0);
                            drop(provider);
                            registration.close(PATIENCE, &passive).unwrap();
                            drop(engine);
                            assert!(kernel.outstanding().is_empty());
                            assert!(nth > 8, "only {} allocations could be made to fail", nth - 1);
                            return;
                        }
                    },
                }
                drop(provider);
                registration.close(PATIENCE, &passive).unwrap();
            }
        }
        let outstanding = kernel.outstanding();
        assert!(outstanding.is_empty(), "allocation {nth}: {outstanding:?}");
    }
}

#[test]
fn open_asks_for_exactly_what_it_says() {
    for processors in [1, 3] {
        let kernel = HostKernel::new(HostConfig::with_workers(processors));
        let passive = Passive::acquire(&kernel).unwrap();
        let (recorder, _ends) = Recorder::new(Policy::Consume);
        let before = kernel.memory_in_use();
        let engine = Engine::open(kernel.clone(), recorder, &config(), &passive).unwrap();
        let asked = kernel.memory_in_use() - before;
        assert_eq!(asked, Engine::<HostKernel, Recorder<HostKernel>>::bytes(&config(), processors).unwrap());
        drop(engine);
        assert_eq!(kernel.memory_in_use(), before);
    }
}

#[test]
fn fewer_shards_than_processors_is_refused() {
    let kernel = HostKernel::new(HostConfig::with_workers(4));
    let passive = Passive::acquire(&kernel).unwrap();
    let (recorder, _ends) = Recorder::new(Policy::Consume);
    let config = Config { shards: 2, ..config() };
    let error = Engine::open(kernel.clone(), recorder, &config, &passive).err().unwrap();
    assert_eq!(error, OpenError::TooFewShards { processors: 4, shards: 2 });
}

#[test]
fn an_address_in_use_is_told_with_its_status() {
    let client = crate::fixture::Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    {
        let passive = Passive::acquire(&client.kernel).unwrap();
        let options = skua_engine::SocketOptions::new(taken.local_addr().unwrap());
        let error = engine.open_socket(&client.provider, &options, &passive).err().unwrap();
        assert_eq!(error.status(), skua_engine::abi::status::STATUS_ADDRESS_ALREADY_EXISTS);
        assert!(error.to_string().contains("STATUS_ADDRESS_ALREADY_EXISTS"), "{error}");
        assert_eq!(client.kernel.outstanding().sockets, 0, "a failed open leaves nothing open");
    }
    drop(engine);
    client.finish();
}

#[test]
fn a_registration_with_a_socket_is_not_closed() {
    let client = crate::fixture::Client::new(HostConfig::default());
    let (engine, _ends) = client.engine(Policy::Consume, &Config::default());
    let socket = client.listen(&engine, &told("127.0.0.1:0"));
    let crate::fixture::Client { kernel, registration, provider } = client;
    let passive = Passive::acquire(&kernel).unwrap();
    drop(provider);
    let error = registration.close(std::time::Duration::ZERO, &passive).unwrap_err();
    let skua_engine::DeregisterError::InUse { sockets: 1, captures: 0, registration } = error else {
        panic!("{error}");
    };
    socket.close(PATIENCE, &passive).unwrap();
    registration.close(PATIENCE, &passive).unwrap();
    drop(engine);
    assert!(kernel.outstanding().is_empty());
}

#[test]
fn an_engine_and_a_provider_of_different_kernels_do_not_mix() {
    let (one, other) = (
        crate::fixture::Client::new(HostConfig::default()),
        crate::fixture::Client::new(HostConfig::default()),
    );
    let (engine, _ends) = one.engine(Policy::Consume, &Config::default());
    {
        let passive = Passive::acquire(&one.kernel).unwrap();
        let error = engine.open_socket(&other.provider, &told("127.0.0.1:0"), &passive).err().unwrap();
        assert!(matches!(error, OpenSocketError::OtherKernel), "{error}");
    }
    drop(engine);
    one.finish();
    other.finish();
}

#[test]
fn a_provider_that_is_away_makes_the_capture_time_out() {
    let kernel = HostKernel::new(HostConfig::default());
    kernel.set_provider_away(true);
    let passive = Passive::acquire(&kernel).unwrap();
    let registration = Registration::register(kernel.clone(), Events::Static, &passive).unwrap();
    let early = registration.capture(std::time::Duration::from_millis(5), &passive);
    assert!(matches!(early.err(), Some(skua_engine::CaptureError::NotReady(_))));
    kernel.set_provider_away(false);
    drop(registration.capture(PATIENCE, &passive).unwrap());
    registration.close(PATIENCE, &passive).unwrap();
    assert!(kernel.outstanding().is_empty());
}
