//! Many connections, opened and closed; and what they leave behind.

use std::ffi::c_void;
use std::net::{Ipv4Addr, SocketAddr};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use skua_engine::abi::sockaddr::{IPPROTO_TCP, SOCK_STREAM, SOCKADDR_INET};
use skua_engine::abi::status::{NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_SUCCESS};
use skua_engine::abi::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_DATA_INDICATION, WSK_PROVIDER_CONNECTION_DISPATCH, WSK_SOCKET,
};

use crate::client::{Buffer, Call, Client, succeeded, table_of};
use crate::echo::{self, Echo, Ended};

/// What each connection sends, and gets back.
const GREETING: [u8; 16] = *b"open, then close";

/// Addresses that connections come from: a port stays taken for a while after a connection, and one address has not
/// enough of them.
const SOURCES: u32 = 250;

/// Most memory that `count` connections may leave behind, in KiB: what allocators keep, and no more for more connections.
const SLACK: u64 = 16 << 10;

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The events are static; requests receive in their place, and take precedence.
static CONNECTION: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: Some(receive),
    WskDisconnectEvent: Some(disconnect),
    WskSendBacklogEvent: None,
};

/// Opens and closes `count` connections, `at_once` at a time, and fails when a descriptor, a thread, a socket, an IRP or
/// memory is left of them.
pub(crate) fn run(client: &Client, count: usize, at_once: usize) -> Result<(), String> {
    let start = Instant::now();
    let (echo, server, ended) = Echo::listen(client, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?;
    let visited = visit_all(client, server, &ended, count, at_once);
    let accepted = echo.end(client)?;
    let Usages { before, after, most } = visited?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{accepted} connections in {seconds:.1} s, {at_once} at a time; before {before}, after {after}, at most {most}"
    );
    if accepted != count {
        return Err(format!("{accepted} of {count} connections were accepted"));
    }
    let kept = (after.descriptors, after.threads) == (before.descriptors, before.threads);
    if kept && after.resident <= before.resident + SLACK {
        Ok(())
    } else {
        Err("something is left".to_owned())
    }
}

/// What this process held when the first connections were closed, when all were, and in between.
struct Usages {
    before: Usage,
    after: Usage,
    most: Usage,
}

fn visit_all(
    client: &Client,
    server: SocketAddr,
    ended: &Receiver<Ended>,
    count: usize,
    at_once: usize,
) -> Result<Usages, String> {
    // What the first ones need is kept for the others.
    let warm_up = (count / 10).max(at_once * 4).min(count);
    let mut before = None;
    let mut most = Usage::default();
    for (batch, is_measured) in [(warm_up, false), (count - warm_up, true)] {
        let next = AtomicUsize::new(0);
        let failure = Mutex::new(None);
        let fail = |error| {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            next.store(batch, Ordering::Relaxed);
        };
        std::thread::scope(|scope| {
            for worker in 0..at_once.max(1) {
                let (next, fail) = (&next, &fail);
                scope.spawn(move || {
                    while next.fetch_add(1, Ordering::Relaxed) < batch {
                        let number = u32::try_from(worker).unwrap_or_default();
                        if let Err(error) = visit(client, server, number % SOURCES) {
                            fail(error);
                        }
                    }
                });
            }
            // The other ends are closed here meanwhile. Each visit has one, when it succeeds.
            for number in 0..batch {
                let Ok(peer) = ended.recv_timeout(PATIENCE) else {
                    fail(format!("{number} of {batch} connections ended"));
                    break;
                };
                if let Err(error) = echo::close(client, peer) {
                    fail(error);
                }
                if number % 1000 == 0 {
                    most = most.max(Usage::now());
                }
            }
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if !is_measured {
            before = Some(Usage::settled());
        }
    }
    let after = Usage::settled();
    Ok(Usages { before: before.unwrap_or(after), after, most })
}

/// One connection: WskSocketConnect, WskSend, WskDisconnect, WskReceive to the end, WskCloseSocket.
fn visit(client: &Client, server: SocketAddr, source: u32) -> Result<(), String> {
    let local = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + 1 + source);
    let (mut local, mut remote) =
        (SOCKADDR_INET::from(SocketAddr::new(local.into(), 0)), SOCKADDR_INET::from(server));
    let (npi, dispatch) = client.provider();
    let socket_connect = dispatch.WskSocketConnect.ok_or("no WskSocketConnect")?;
    let mut call = Call::new(&client.kernel);
    let (status, socket) = call.run(|irp| {
        let (local, remote) = (local.as_mut_ptr(), remote.as_mut_ptr());
        let (process, thread, security) = (null_mut(), null_mut(), null_mut());
        let table = &raw const CONNECTION;
        // SAFETY: a captured client; addresses outlive the request, and the table is static.
        unsafe {
            socket_connect(
                npi.Client,
                SOCK_STREAM,
                IPPROTO_TCP,
                local,
                remote,
                0,
                null_mut(),
                table,
                process,
                thread,
                security,
                irp,
            )
        }
    });
    succeeded("WskSocketConnect", status)?;
    let socket: *mut WSK_SOCKET = std::ptr::with_exposed_provenance_mut(socket);
    let outcome = exchange(client, &mut call, socket);
    client.close(socket)?;
    outcome
}

fn exchange(client: &Client, call: &mut Call, socket: *mut WSK_SOCKET) -> Result<(), String> {
    // SAFETY: a connection socket.
    let table = unsafe { table_of::<WSK_PROVIDER_CONNECTION_DISPATCH>(socket) };
    let (Some(send), Some(receive), Some(disconnect)) =
        (table.WskSend, table.WskReceive, table.WskDisconnect)
    else {
        return Err("a function is missing".to_owned());
    };
    let mut buffer = Buffer::new(&client.kernel, 64);
    buffer.bytes[..GREETING.len()].copy_from_slice(&GREETING);
    let mut header = buffer.first(GREETING.len());
    let out = &raw mut header;
    // SAFETY: a live socket; the buffer outlives the request.
    let (status, _) = call.run(|irp| unsafe { send(socket, out, 0, irp) });
    succeeded("WskSend", status)?;
    // SAFETY: a live socket; no data goes with it.
    let (status, _) = call.run(|irp| unsafe { disconnect(socket, null_mut(), 0, irp) });
    succeeded("WskDisconnect", status)?;
    buffer.bytes.fill(0);
    let mut got = Vec::new();
    loop {
        let mut header = buffer.first(buffer.bytes.len());
        let into = &raw mut header;
        // SAFETY: a live socket; the buffer outlives the request.
        let (status, bytes) = call.run(|irp| unsafe { receive(socket, into, 0, irp) });
        succeeded("WskReceive", status)?;
        if bytes == 0 {
            return if got == GREETING { Ok(()) } else { Err(format!("{} bytes came back", got.len())) };
        }
        got.extend_from_slice(&buffer.bytes[..bytes]);
    }
}

/// Leaves the data for requests.
unsafe extern "C" fn receive(
    _context: *mut c_void,
    _flags: u32,
    _list: *mut WSK_DATA_INDICATION,
    _indicated: usize,
    _accepted: *mut usize,
) -> NTSTATUS {
    STATUS_DATA_NOT_ACCEPTED
}

unsafe extern "C" fn disconnect(_context: *mut c_void, _flags: u32) -> NTSTATUS {
    STATUS_SUCCESS
}

/// What this process holds, as Linux tells; nothing elsewhere.
#[derive(Clone, Copy, Default)]
struct Usage {
    descriptors: u64,
    threads: u64,
    /// In KiB.
    resident: u64,
}

impl Usage {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().find_map(|word| word.parse().ok())
        };
        let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
        Self {
            descriptors,
            threads: field("Threads:").unwrap_or_default(),
            resident: field("VmRSS:").unwrap_or_default(),
        }
    }

    /// When threads that are done have gone: as soon as nothing changes any more.
    fn settled() -> Self {
        let mut last = Self::now();
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(200));
            let now = Self::now();
            if (now.descriptors, now.threads) == (last.descriptors, last.threads) {
                break;
            }
            last = now;
        }
        last
    }

    fn max(self, other: Self) -> Self {
        Self {
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
            resident: self.resident.max(other.resident),
        }
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { descriptors, threads, resident } = self;
        write!(f, "{descriptors} descriptors, {threads} threads, {resident} KiB")
    }
}
