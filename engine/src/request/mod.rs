//! Requests: WSK calls that end later, as futures, as waits, or with a callback.

pub(crate) mod buffer;
mod error;
mod pending;
pub(crate) mod pool;
pub(crate) mod slot;
mod waker;

pub use buffer::Buffer;
pub use error::{RequestError, WaitError};
pub(crate) use pending::Targets;
pub use pending::{Finish, Pending};
pub use pool::{Requests, RequestsConfig};
pub use waker::{DispatchWaker, WakeAtDispatch};
