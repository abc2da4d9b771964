//! What the standard library has.

use std::io;
use std::net::UdpSocket;

use super::{Receiver, Take};

/// `UdpSocket::recv_from`.
pub(super) struct Standard;

impl Receiver for Standard {
    fn run<T: Take>(&self, socket: UdpSocket, size: usize, mut take: T) -> io::Result<()> {
        let mut buffer = vec![0; size.max(2048)];
        loop {
            let (length, _) = socket.recv_from(&mut buffer)?;
            take.take(&buffer[..length]);
            take.publish();
        }
    }
}
