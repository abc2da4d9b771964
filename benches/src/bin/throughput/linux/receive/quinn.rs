//! quinn-udp.

use std::io::{self, IoSliceMut};

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use rustix::event::{PollFd, PollFlags, poll};

use super::control::coalesce;
use super::{Listen, Receiver, Take};

/// The largest that UDP_GRO makes of several.
const LARGEST: usize = 1 << 16;

/// `UdpSocketState::recv` in a loop; poll waits when there is nothing.
pub(super) struct Quinn {
    pub(super) coalesced: bool,
}

impl Receiver for Quinn {
    fn run<T: Take>(&self, listen: &Listen, mut take: T) -> io::Result<()> {
        let mut state = None;
        let socket = listen.socket(|socket| {
            state = Some(UdpSocketState::new(socket.into())?);
            coalesce(socket, self.coalesced)
        })?;
        let Some(state) = state else { return Ok(()) };
        let room = if self.coalesced { LARGEST } else { listen.room() };
        let mut buffers = vec![vec![0u8; room]; BATCH_SIZE];
        let mut slices: Vec<IoSliceMut<'_>> =
            buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let mut meta = vec![RecvMeta::default(); BATCH_SIZE];
        loop {
            match state.recv((&socket).into(), &mut slices, &mut meta) {
                Ok(count) => {
                    for (slice, meta) in slices.iter().zip(&meta).take(count) {
                        take.take_coalesced(&slice[..meta.len], meta.stride);
                    }
                    take.publish();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&socket, PollFlags::IN)], None)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
