//! TCP over Winsock Kernel, in the plain C ABI: what a driver does, run as a program.
//!
//! ```text
//! tcp listen ADDRESS        wait for one connection; standard input goes out on it, what comes in to standard output
//! tcp connect ADDRESS       the same on a connection to ADDRESS
//! tcp stream-listen, stream-connect    the same with a stream socket, which is told what to become
//! tcp echo ADDRESS COUNT    send COUNT connections back what they send, from the memory it came in
//! tcp churn COUNT AT-ONCE   open and close COUNT connections to an echo of its own, and count what is left of them
//! ```
//!
//! 1. [`client`] registers, captures the provider, and has an IRP and an event for each call that it waits for.
//! 2. [`pipe`] receives and sends by requests, one of each at a time.
//! 3. [`echo`] lives in callbacks: accept, receive, disconnect, and the completion of sends.
//! 4. [`churn`] does to itself what a busy server suffers.
//!
//! What a program may do and a driver may not is marked: here work items are threads of the standard library.

#![expect(unsafe_code, reason = "the C ABI is spoken by hand")]

mod churn;
mod client;
mod echo;
mod pipe;

use std::net::SocketAddr;
use std::process::ExitCode;

use client::Client;
use pipe::Role;
use skua_hosted::{HostConfig, HostKernel};

const USAGE: &str = "usage: tcp listen|connect|stream-listen|stream-connect ADDRESS\n\
                     usage: tcp echo ADDRESS COUNT\n\
                     usage: tcp churn COUNT AT-ONCE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["listen", address] => with_address(address, |client, at| pipe::run(client, Role::Listen, at)),
        ["connect", address] => with_address(address, |client, at| pipe::run(client, Role::Connect, at)),
        ["stream-listen", address] => {
            with_address(address, |client, at| pipe::run(client, Role::StreamListen, at))
        }
        ["stream-connect", address] => {
            with_address(address, |client, at| pipe::run(client, Role::StreamConnect, at))
        }
        ["echo", address, count] => match count.parse() {
            Ok(count) => with_address(address, |client, at| echo::run(client, at, count)),
            Err(_) => Err(USAGE.to_owned()),
        },
        ["churn", count, at_once] => match (count.parse(), at_once.parse()) {
            (Ok(count), Ok(at_once)) => {
                // The verifier remembers every IRP that was initialised, and memory is counted here.
                with_client(HostConfig::default().unverified(), |client| churn::run(client, count, at_once))
            }
            _ => Err(USAGE.to_owned()),
        },
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn with_address(
    address: &str,
    run: impl FnOnce(&Client, SocketAddr) -> Result<(), String>,
) -> Result<(), String> {
    let address = address.parse().map_err(|_| format!("not an address: {address}\n{USAGE}"))?;
    with_client(HostConfig::default(), |client| run(client, address))
}

/// Lets `run` use a client, and fails when it leaves anything behind.
fn with_client(config: HostConfig, run: impl FnOnce(&Client) -> Result<(), String>) -> Result<(), String> {
    let kernel = HostKernel::new(config);
    let client = Client::new(&kernel)?;
    let outcome = run(&client);
    client.end();
    let left = kernel.outstanding();
    if outcome.is_ok() && !left.is_empty() {
        return Err(format!("left behind: {left:?}"));
    }
    outcome
}
