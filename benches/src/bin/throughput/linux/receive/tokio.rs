//! tokio, on a current-thread runtime: it has one core.

use std::io;
use std::net::UdpSocket;

use tokio::net::UdpSocket as TokioSocket;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use super::{Listen, Receiver, Take};

/// `UdpSocket::recv_from` in a task.
pub(super) struct Tokio;

/// A task receives, copies each datagram into a Vec of its own and sends that through a channel to the task that takes it.
pub(super) struct Pipeline;

/// Datagrams that the channel holds.
const CHANNEL: usize = 1024;

impl Receiver for Tokio {
    fn run<T: Take>(&self, listen: &Listen, mut take: T) -> io::Result<()> {
        let socket = listen.socket(|_| Ok(()))?;
        runtime()?.block_on(async {
            let socket = adopt(socket)?;
            let mut buffer = vec![0; listen.room()];
            loop {
                let (length, _) = socket.recv_from(&mut buffer).await?;
                take.take(&buffer[..length]);
                take.publish();
            }
        })
    }
}

impl Receiver for Pipeline {
    fn run<T: Take>(&self, listen: &Listen, mut take: T) -> io::Result<()> {
        let socket = listen.socket(|_| Ok(()))?;
        let room = listen.room();
        runtime()?.block_on(async {
            let socket = adopt(socket)?;
            let (sender, mut receiver) = mpsc::channel(CHANNEL);
            let receiving = tokio::spawn(async move {
                let mut buffer = vec![0; room];
                loop {
                    let (length, from) = socket.recv_from(&mut buffer).await?;
                    if sender.send((buffer[..length].to_vec(), from)).await.is_err() {
                        return Ok(());
                    }
                }
            });
            while let Some((payload, _)) = receiver.recv().await {
                take.take(&payload);
                take.publish();
            }
            receiving.await?
        })
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().build()
}

fn adopt(socket: UdpSocket) -> io::Result<TokioSocket> {
    socket.set_nonblocking(true)?;
    TokioSocket::from_std(socket)
}
