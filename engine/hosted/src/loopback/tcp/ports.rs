//! Who is bound where, and who listens.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use skua_engine::abi::status::{NTSTATUS, STATUS_TOO_MANY_ADDRESSES};

use super::link::{Bell, End};
use crate::kernel::lock::hold;
use crate::os::tcp::BACKLOG;
use crate::receive::unmapped;

/// The first of the ports that are given out (IANA's dynamic range).
const FIRST_DYNAMIC: u16 = 49_152;

/// The bound sockets of one network. Who may share an address is decided above.
#[derive(Default)]
pub(crate) struct Ports {
    bound: Mutex<Vec<Bound>>,
}

struct Bound {
    local: SocketAddr,
    /// Whether a socket of IPv6 serves IPv4 too.
    serves_both: bool,
    /// The socket's, which tells it apart.
    bell: Arc<Bell>,
    listener: Option<Arc<Listener>>,
}

/// What a listening socket and those that connect to it share.
pub(super) struct Listener {
    bell: Arc<Bell>,
    waiting: Mutex<VecDeque<Arrived>>,
}

/// A connection that nobody has taken: the end of the listening side, and who made it.
pub(super) struct Arrived {
    pub(super) end: End,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

impl Ports {
    /// Binds, choosing a port that nobody has for port 0.
    pub(super) fn bind(
        &self,
        local: SocketAddr,
        serves_both: bool,
        bell: &Arc<Bell>,
    ) -> Result<SocketAddr, NTSTATUS> {
        let mut bound = hold(&self.bound);
        let port = match local.port() {
            0 => (FIRST_DYNAMIC..=u16::MAX)
                .find(|port| bound.iter().all(|other| other.local.port() != *port))
                .ok_or(STATUS_TOO_MANY_ADDRESSES)?,
            port => port,
        };
        let local = SocketAddr::new(local.ip(), port);
        bound.push(Bound { local, serves_both, bell: Arc::clone(bell), listener: None });
        Ok(local)
    }

    /// Makes the socket with `bell` a listening one.
    pub(super) fn listen(&self, bell: &Arc<Bell>) -> Arc<Listener> {
        let listener = Arc::new(Listener { bell: Arc::clone(bell), waiting: Mutex::default() });
        let mut bound = hold(&self.bound);
        if let Some(entry) = bound.iter_mut().find(|entry| Arc::ptr_eq(&entry.bell, bell)) {
            entry.listener = Some(Arc::clone(&listener));
        }
        listener
    }

    /// Takes a socket out, and resets what has come to it and nobody took.
    pub(super) fn unbind(&self, bell: &Arc<Bell>) {
        let mut bound = hold(&self.bound);
        let position = bound.iter().position(|entry| Arc::ptr_eq(&entry.bell, bell));
        let entry = position.map(|position| bound.swap_remove(position));
        drop(bound);
        if let Some(listener) = entry.and_then(|entry| entry.listener) {
            hold(&listener.waiting).drain(..).for_each(|arrived| arrived.end.reset());
        }
    }

    /// The listening socket whose address fits best, and the address as that socket sees it.
    pub(super) fn find(&self, remote: SocketAddr) -> Option<Arc<Listener>> {
        let bound = hold(&self.bound);
        let fits = bound.iter().filter(|entry| entry.local.port() == remote.port()).filter_map(|entry| {
            let listener = entry.listener.as_ref()?;
            Some((entry.fit(unmapped(remote.ip()))?, listener))
        });
        fits.max_by_key(|(fit, _)| *fit).map(|(_, listener)| Arc::clone(listener))
    }
}

impl Bound {
    /// 2 for the address itself, 1 for the wildcard of the family, 0 for that of both.
    fn fit(&self, destination: IpAddr) -> Option<u32> {
        let local = unmapped(self.local.ip());
        let same_family = self.local.is_ipv4() == destination.is_ipv4();
        if local == destination {
            return Some(2);
        }
        (local.is_unspecified() && (same_family || self.serves_both)).then_some(u32::from(same_family))
    }
}

impl Listener {
    /// Lets a connection wait to be taken; false when too many do.
    pub(super) fn offer(&self, arrived: Arrived) -> bool {
        let mut waiting = hold(&self.waiting);
        if waiting.len() >= usize::try_from(BACKLOG).unwrap_or_default() {
            return false;
        }
        waiting.push_back(arrived);
        drop(waiting);
        self.bell.ring();
        true
    }

    pub(super) fn take(&self) -> Option<Arrived> {
        hold(&self.waiting).pop_front()
    }
}
