//! One source port that datagrams are sent from.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// How long to wait when the system has no room for another datagram.
const NO_ROOM_PAUSE: Duration = Duration::from_micros(100);
/// How often in a row to find no room before giving up: 5 s.
const NO_ROOM_LIMIT: u32 = 50_000;

/// A socket connected to the receiver.
#[derive(Debug)]
pub(crate) struct Flow {
    socket: UdpSocket,
    refused: u64,
}

impl Flow {
    /// Takes a free port and connects it to `to`.
    ///
    /// # Errors
    /// The system's: no port left, no route to `to`.
    pub(crate) fn open(to: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(to)?;
        Ok(Self { socket, refused: 0 })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// The system's, where trying again would not help.
    pub(crate) fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        let mut no_room = 0;
        loop {
            match self.socket.send(datagram) {
                Ok(_) => return Ok(()),
                Err(error) => match error.kind() {
                    // Tells of an earlier datagram that nobody was there for; this one was not sent.
                    ErrorKind::ConnectionRefused => self.refused += 1,
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::OutOfMemory if no_room < NO_ROOM_LIMIT => {
                        no_room += 1;
                        std::thread::sleep(NO_ROOM_PAUSE);
                    }
                    _ => return Err(error),
                },
            }
        }
    }

    /// Datagrams that the receiver's host said nobody listened for.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }
}
