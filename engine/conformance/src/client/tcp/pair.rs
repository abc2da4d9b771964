//! Two connected sockets.

use core::net::SocketAddr;

use skua_engine::Kernel;
use skua_engine::abi::status::STATUS_SUCCESS;

use super::super::{Client, LOCALHOST};
use super::socket::{Kind, StreamSocket};
use crate::outcome::{Outcome, expect_at};

/// A connection: the socket that connected, the one that was accepted, and the one that listens.
pub(crate) struct Pair<'c, K: Kernel> {
    pub(crate) near: StreamSocket<'c, K>,
    pub(crate) far: StreamSocket<'c, K>,
    pub(crate) listener: StreamSocket<'c, K>,
}

impl<'c, K: Kernel> Pair<'c, K> {
    /// Two connection sockets, connected at the loopback address.
    pub(crate) fn new(client: &'c Client<'_, K>) -> Result<Self, Outcome> {
        let near = StreamSocket::bound(client, Kind::Connection, LOCALHOST)?;
        Self::of(client, near)
    }

    /// The same with a socket that is bound already.
    pub(crate) fn of(client: &'c Client<'_, K>, near: StreamSocket<'c, K>) -> Result<Self, Outcome> {
        let listener = StreamSocket::bound(client, Kind::Listen, LOCALHOST)?;
        let far = join(&near, &listener)?;
        Ok(Self { near, far, listener })
    }

    /// Enables events of the socket that connected.
    pub(crate) fn with_events(self, mask: u32) -> Result<Self, Outcome> {
        expect_at("SO_WSK_EVENT_CALLBACK", STATUS_SUCCESS, self.near.set_events(mask))?;
        Ok(self)
    }
}

/// Connects `near` to `listener`, and returns what WskAccept gives.
pub(crate) fn join<'c, K: Kernel>(
    near: &StreamSocket<'c, K>,
    listener: &StreamSocket<'c, K>,
) -> Result<StreamSocket<'c, K>, Outcome> {
    join_at(near, listener, listener.local()?)
}

fn join_at<'c, K: Kernel>(
    near: &StreamSocket<'c, K>,
    listener: &StreamSocket<'c, K>,
    remote: SocketAddr,
) -> Result<StreamSocket<'c, K>, Outcome> {
    let accepting = listener.start_accept()?;
    expect_at("WskConnect", STATUS_SUCCESS, near.connect(remote)?)?;
    accepting.socket()
}
