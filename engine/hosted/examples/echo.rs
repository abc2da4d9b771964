//! A TCP echo server on WSK: a listening socket, a connection socket for each client, requests that are waited for.
//!
//! `cargo run -p skua-hosted --example echo -- 127.0.0.1:7007`, then `ncat 127.0.0.1 7007`.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

use skua_engine::{
    ConnectionSocket, Connections, Controlled, Events, Family, NoHandler, Passive, Registration, Requests,
    RequestsConfig, SocketBuilder,
};
use skua_hosted::{HostConfig, HostKernel};

/// As long as a client may be silent.
const PATIENCE: Duration = Duration::from_secs(600);

fn main() -> Result<(), Box<dyn Error>> {
    let local = std::env::args().nth(1).unwrap_or("127.0.0.1:7007".into()).parse()?;
    let (ready, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || println!("listening on {}", address.recv().unwrap_or(local)));
    serve(local, usize::MAX, &ready)
}

/// Serves so many clients, each on a thread of its own, and leaves.
pub(crate) fn serve(
    local: SocketAddr,
    clients: usize,
    ready: &Sender<SocketAddr>,
) -> Result<(), Box<dyn Error>> {
    let kernel = HostKernel::new(HostConfig::with_workers(2));
    let passive = Passive::acquire(&kernel).ok_or("above PASSIVE_LEVEL")?;
    // All memory is taken here.
    let registration = Registration::register(kernel.clone(), Events::Static, &passive)?;
    let provider = registration.capture(PATIENCE, &passive)?;
    let requests = Requests::open(&kernel, &RequestsConfig::default(), &passive)?;
    let connections = Connections::open(&provider, &requests, 16, &passive)?;
    let listener = SocketBuilder::new(Family::of(local)).listen_on(
        &provider,
        &connections,
        NoHandler,
        local,
        PATIENCE,
        &passive,
    )?;
    ready.send(listener.local_address().wait(PATIENCE, &passive)?)?;
    let mut threads = Vec::new();
    for _ in 0..clients {
        let client = listener.accept(NoHandler).wait(Duration::MAX, &passive)?;
        let kernel = kernel.clone();
        threads.push(std::thread::spawn(move || echo(client, &kernel).map_err(|error| error.to_string())));
    }
    for thread in threads {
        thread.join().map_err(|_| "a client's thread has panicked")??;
    }
    listener.close(PATIENCE, &passive)?;
    drop((connections, provider));
    registration.close(PATIENCE, &passive)?;
    Ok(())
}

/// Sends back what comes, until the client has said all.
fn echo(client: ConnectionSocket<HostKernel, NoHandler>, kernel: &HostKernel) -> Result<(), Box<dyn Error>> {
    let passive = Passive::acquire(kernel).ok_or("above PASSIVE_LEVEL")?;
    let mut buffer = client.requests().take().ok_or("every slot is in use")?;
    loop {
        let (heard, bytes) = client.receive(buffer).wait(PATIENCE, &passive)?;
        if bytes == 0 {
            break;
        }
        (buffer, _) = client.send(heard).wait(PATIENCE, &passive)?;
    }
    client.disconnect().wait(PATIENCE, &passive)?;
    Ok(client.close(PATIENCE, &passive)?)
}
