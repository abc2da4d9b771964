//! A socket with the engine it feeds.

use crate::anchor::Anchor;
use crate::closing::ClosingLink;
use crate::engine::EngineBlock;
use crate::handler::Handler;
use crate::kernel::Kernel;
use crate::registration::RegistrationBlock;
use crate::socket::close::Stage;
use crate::socket::core::SocketCore;

/// What WskSocket is given as the socket's context, in memory of its own until the socket is closed.
#[repr(C)]
pub(crate) struct SocketBlock<K: Kernel, H: Handler<K>> {
    pub core: SocketCore<K>,
    pub engine: Anchor<EngineBlock<K, H>, K>,
    pub registration: Anchor<RegistrationBlock<K>, K>,
    /// How far the close has come. Written by whoever closes: the handle, then the closing list.
    pub stage: Stage,
    /// Its place on the registration's closing list.
    pub link: ClosingLink,
}
