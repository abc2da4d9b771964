//! WskBind: the address, the receive blocks and the threads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use skua_engine::abi::sockaddr::SOCKADDR_INET;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
};

use super::close::Hold;
use super::datagram::DatagramSocket;
use crate::addresses::{Holder, Space};
use crate::os::Family;
use crate::receive::{Arena, Worker, WorkerPlan};
use crate::send;

impl DatagramSocket {
    /// Binds and starts the threads, which wait until something is wanted of them. All memory that receiving and sending
    /// need is taken here.
    pub(super) fn bind(self: &Arc<Self>, local: &SOCKADDR_INET) -> Result<(), NTSTATUS> {
        self.require_alive()?;
        let local =
            local.to_socket_addr().filter(|local| self.takes(local)).ok_or(STATUS_INVALID_PARAMETER)?;
        self.claim_bind()?;
        self.receives.reserve();
        let workers = self.workers();
        let arena = Arena::new(&self.kernel, workers, self.kernel.provider().blocks);
        let bound = arena.ok_or(STATUS_INSUFFICIENT_RESOURCES).and_then(|arena| {
            let bound = self.bind_wire(local)?;
            Ok((bound, arena))
        });
        match bound {
            Ok((bound, arena)) => {
                self.set_bound(bound, arena);
                self.start(workers)
            }
            Err(status) => {
                self.unclaim_bind();
                Err(status)
            }
        }
    }

    fn bind_wire(self: &Arc<Self>, local: SocketAddr) -> Result<SocketAddr, NTSTATUS> {
        if self.is_raw() {
            // The host has the protocol where a port would be.
            let mut local = local;
            local.set_port(0);
            self.wire().bind(local, 1, false)?;
            return Ok(local);
        }
        let holder: Arc<dyn Holder> = Arc::<Self>::clone(self);
        let claim = self.controls.claim(Space::Udp, local, self.context(), Arc::downgrade(&holder));
        self.kernel.addresses().bind(claim, |shared| self.wire().bind(local, self.workers(), shared))
    }

    /// Whether `address` is of the socket's family.
    pub(crate) fn takes(&self, address: &SocketAddr) -> bool {
        address.is_ipv4() == (self.family() == Family::V4)
    }

    /// Starts the threads and waits until they run, so that what a thread allocates to begin with is behind them.
    fn start(self: &Arc<Self>, workers: u32) -> Result<(), NTSTATUS> {
        let port = self.local().map_or(0, SocketAddr::port);
        let (ready, started) = channel();
        for index in 0..workers {
            let receiver = self.wire().receiver(index, self.kernel.provider().batch as usize);
            let worker = Worker::new(WorkerPlan { socket: Arc::clone(self), index, receiver });
            self.spawn(format!("recv-{port}-{index}"), ready.clone(), move || worker.run())?;
        }
        let socket = Arc::clone(self);
        self.spawn(format!("send-{port}"), ready, move || send::transmit(&socket))?;
        // Ends when the last thread has dropped its end.
        while started.recv().is_ok() {}
        Ok(())
    }

    /// Starts a thread that keeps the socket from being closed while it runs. A thread that cannot be started ends the
    /// socket's use: it is left to be closed.
    fn spawn(
        self: &Arc<Self>,
        name: String,
        ready: Sender<()>,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), NTSTATUS> {
        let hold = Hold::new(self).ok_or(STATUS_INVALID_DEVICE_STATE)?;
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            drop(ready);
            run();
            // What `run` owned is gone before the socket can close.
            drop(hold);
        });
        match thread {
            Ok(_detached) => Ok(()),
            Err(_) => {
                self.die(0);
                Err(STATUS_INSUFFICIENT_RESOURCES)
            }
        }
    }
}
