//! What the standard library has.

use std::io;

use super::{Listen, Receiver, Take};

/// `UdpSocket::recv_from`.
pub(super) struct Standard;

impl Receiver for Standard {
    fn run<T: Take>(&self, listen: &Listen, mut take: T) -> io::Result<()> {
        let socket = listen.socket(|_| Ok(()))?;
        let mut buffer = vec![0; listen.room()];
        loop {
            let (length, _) = socket.recv_from(&mut buffer)?;
            take.take(&buffer[..length]);
            take.publish();
        }
    }
}
