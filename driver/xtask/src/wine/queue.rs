//! How much a receiving socket has waiting, whoever it belongs to, and what it lost.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};

/// How often to look for a socket. The system hands the table out in parts, and while other sockets come and go it may leave
/// one out between two of them.
const LOOKS: u32 = 100;

/// A UDP socket's receive queue, as this system's tables show it.
pub(super) struct ReceiveQueue {
    table: &'static str,
    /// `:` and the port, as the table has it.
    port: String,
}

impl ReceiveQueue {
    /// Half of what Linux lets a queue hold unless an administrator allows more, in bytes: net.core.rmem_default.
    pub(super) const HALF: u64 = 106_496;

    /// Of the socket that receives what is sent to `address`.
    pub(super) fn of(address: SocketAddr) -> Result<Self> {
        let table = if address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
        let queue = Self { table, port: format!(":{:04X}", address.port()) };
        // There is one, or it would look empty for ever.
        queue.line()?;
        Ok(queue)
    }

    /// Bytes waiting in it, as the system charges them.
    pub(super) fn bytes(&self) -> Result<u64> {
        let line = self.line()?;
        // Number, local address, remote address, state, then both queues.
        let (_, received) =
            line.split_whitespace().nth(4).and_then(|both| both.split_once(':')).context("no queue")?;
        u64::from_str_radix(received, 16).with_context(|| format!("not a length: {received}"))
    }

    /// Datagrams that found no room in it.
    pub(super) fn drops(&self) -> Result<u64> {
        let line = self.line()?;
        let drops = line.split_whitespace().next_back().context("an empty line")?;
        drops.parse().with_context(|| format!("not a count: {drops}"))
    }

    fn line(&self) -> Result<String> {
        for _ in 0..LOOKS {
            let table =
                fs::read_to_string(self.table).with_context(|| format!("cannot read {}", self.table))?;
            let is_ours = |line: &&str| {
                line.split_whitespace().nth(1).is_some_and(|address| address.ends_with(self.port.as_str()))
            };
            if let Some(line) = table.lines().find(is_ours) {
                return Ok(line.to_owned());
            }
        }
        bail!("{} has no socket at port {}", self.table, self.port);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn what_waits_is_seen_until_it_is_taken() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let queue = ReceiveQueue::of(receiver.local_addr().unwrap()).unwrap();
        assert_eq!(queue.bytes().unwrap(), 0);
        receiver.send_to(b"x", receiver.local_addr().unwrap()).unwrap();
        assert!(queue.bytes().unwrap() > 0);
        receiver.recv(&mut [0]).unwrap();
        assert_eq!((queue.bytes().unwrap(), queue.drops().unwrap()), (0, 0));
    }
}
