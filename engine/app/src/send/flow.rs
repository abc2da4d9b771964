//! One source port that datagrams are sent from.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use skua_engine::{SendError as EngineError, SendOptions};

use super::SendError;
use super::engine::{SendEngine, Socket};
use super::shape::Shape;
use crate::numbered::{Pattern, Series};

/// How long to wait when the system has no room for another datagram.
const NO_ROOM_PAUSE: Duration = Duration::from_micros(100);
/// How long to find no room before giving up.
const NO_ROOM_LIMIT: Duration = Duration::from_secs(5);

/// A socket whose remote address is the receiver's, and the number of the next datagram.
pub(super) struct Flow {
    socket: Socket,
    to: SocketAddr,
    options: SendOptions,
    series: Series,
    /// Datagrams handed over.
    sent: u64,
}

impl Flow {
    /// Takes a free port for datagrams to `to`, numbered by `series`.
    ///
    /// # Errors
    /// [`SendError::Open`].
    pub(super) fn open(
        engine: &SendEngine,
        to: SocketAddr,
        shape: &Shape,
        series: Series,
    ) -> Result<Self, SendError> {
        let options = SendOptions { segment: shape.segment(), ..SendOptions::default() };
        Ok(Self { socket: engine.socket(to)?, to, options, series, sent: 0 })
    }

    /// Sends the next `count` datagrams.
    ///
    /// # Errors
    /// [`SendError`]; some of them may have been sent.
    pub(super) fn send(
        &mut self,
        engine: &SendEngine,
        pattern: &Pattern,
        shape: &Shape,
        count: u64,
    ) -> Result<(), SendError> {
        let goal = self.sent + count;
        let mut since = None;
        while self.sent < goal {
            let before = self.sent;
            self.hand_over(pattern, shape, goal)?;
            if self.sent > before {
                since = None;
                continue;
            }
            let since = *since.get_or_insert_with(Instant::now);
            if since.elapsed() > NO_ROOM_LIMIT || engine.stats().sends_failed > 0 {
                return Err(SendError::NoRoom { to: self.to, sequence: self.sent });
            }
            std::thread::sleep(NO_ROOM_PAUSE);
        }
        Ok(())
    }

    /// Hands over what there are contexts for, by one call, of the datagrams before `goal`.
    fn hand_over(&mut self, pattern: &Pattern, shape: &Shape, goal: u64) -> Result<(), SendError> {
        let size = usize::from(shape.size);
        let mut next = self.sent;
        let filled = self.socket.send_batch(self.to, &self.options, |batch| {
            for _ in 0..shape.slots_in_turn {
                let datagrams = (goal - next).min(shape.segments.into());
                if datagrams == 0 {
                    break;
                }
                batch.push_with(|bytes| {
                    let mut at = 0;
                    for (sequence, datagram) in (next..next + datagrams).zip(bytes.chunks_exact_mut(size)) {
                        self.series.write(pattern, sequence, datagram);
                        at += size;
                    }
                    at
                })?;
                next += datagrams;
            }
            Ok(())
        });
        match filled {
            Ok((Ok(()) | Err(EngineError::NoSlot), _)) => {
                self.sent = next;
                Ok(())
            }
            Ok((Err(source), _)) | Err(source) => {
                Err(SendError::Send { to: self.to, sequence: self.sent, size: shape.size, source })
            }
        }
    }

    /// The socket, to be closed.
    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }
}
