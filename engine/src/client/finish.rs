//! What becomes of requests that end.

// UNSAFETY: reads what the provider wrote into the slot of a request that is done.
#![expect(unsafe_code, reason = "a done request's slot is its asker's")]

use core::marker::PhantomData;
use core::net::SocketAddr;

use bytemuck::Pod;

use crate::abi::sockaddr::SOCKADDR_INET;
use crate::abi::status::{NTSTATUS, STATUS_INVALID_ADDRESS};
use crate::kernel::Kernel;
use crate::operation::Completion;
use crate::request::{Buffer, Finish, RequestError};

/// A request that gives nothing but its success.
pub struct Done(pub(crate) &'static str);

impl<K: Kernel> Finish<K> for Done {
    type Output = ();

    fn finish(self, completion: Completion, _buffer: Buffer<K>) -> Result<(), RequestError> {
        succeeded(self.0, completion.status)
    }
}

/// A socket that a request leads to, and that is closed if it fails.
pub struct Opening<S> {
    pub(super) call: &'static str,
    pub(super) socket: S,
}

/// What a socket does when the request that led to it has succeeded.
pub trait Ready {
    /// Its last step.
    fn ready(&self) -> NTSTATUS;
}

impl<K: Kernel, S: Ready> Finish<K> for Opening<S> {
    type Output = S;

    fn finish(self, completion: Completion, _buffer: Buffer<K>) -> Result<S, RequestError> {
        let Self { call, socket } = self;
        succeeded(call, completion.status)?;
        succeeded("WskControlSocket", socket.ready())?;
        Ok(socket)
    }
}

/// Bytes that were sent or received: the buffer comes back, and how many they were.
#[derive(Clone, Copy)]
pub struct Moved {
    pub(super) call: &'static str,
    pub(super) received: bool,
}

impl<K: Kernel> Finish<K> for Moved {
    /// The buffer and the number of bytes. Of a receive, the buffer holds them; none is the end of the stream.
    type Output = (Buffer<K>, usize);

    /// What was received counts, also where the request was cancelled or the connection broke after it.
    fn finish(self, completion: Completion, mut buffer: Buffer<K>) -> Result<Self::Output, RequestError> {
        let bytes = completion.information;
        let received = self.received && bytes != 0;
        if !completion.status.is_success() && !received {
            return Err(RequestError::of(self.call, completion.status));
        }
        if self.received {
            buffer.set_filled(bytes);
        }
        Ok((buffer, bytes))
    }
}

/// An address that a request asks for.
pub struct Address(pub(super) &'static str);

impl<K: Kernel> Finish<K> for Address {
    type Output = SocketAddr;

    fn finish(self, completion: Completion, buffer: Buffer<K>) -> Result<SocketAddr, RequestError> {
        succeeded(self.0, completion.status)?;
        let address = buffer.slot().parameters::<SOCKADDR_INET>();
        // SAFETY: the request was made with a SOCKADDR_INET there, and is done.
        let address = unsafe { address.read() };
        address.to_socket_addr().ok_or(RequestError::Refused { call: self.0, status: STATUS_INVALID_ADDRESS })
    }
}

/// A value of an option or an I/O control.
pub struct Value<T>(pub(super) PhantomData<T>);

impl<K: Kernel, T: Pod> Finish<K> for Value<T> {
    type Output = T;

    fn finish(self, completion: Completion, mut buffer: Buffer<K>) -> Result<T, RequestError> {
        succeeded("WskControlSocket", completion.status)?;
        // An answer may be shorter than the type, as SO_KEEPALIVE's is: the rest is zero.
        let mut value = T::zeroed();
        let answered = completion.information.min(size_of::<T>());
        let (to, from) = (bytemuck::bytes_of_mut(&mut value), buffer.all());
        for (to, from) in to.iter_mut().zip(from.iter()).take(answered) {
            *to = *from;
        }
        Ok(value)
    }
}

pub(super) fn succeeded(call: &'static str, status: NTSTATUS) -> Result<(), RequestError> {
    if status.is_success() { Ok(()) } else { Err(RequestError::of(call, status)) }
}
