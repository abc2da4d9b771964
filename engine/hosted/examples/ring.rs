//! A client that keeps what it is lent from a packet ring, and what that does to the ring. Takes CAP_NET_RAW.
//!
//! `cargo run -p skua-hosted --example ring`

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("packet rings are Linux's");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    keeping::run()
}

#[cfg(target_os = "linux")]
mod keeping {
    use std::error::Error;
    use std::net::UdpSocket;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::{Duration, Instant};

    use skua_engine::{
        Batch, Config, Engine, Events, Handler, Passive, Registration, Retained, Retention, SocketOptions,
    };
    use skua_hosted::{HostConfig, HostKernel, PacketRing, Transport};

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Keeps every datagram, and hands it to the main thread.
    struct Keeper(Sender<Retained<HostKernel>>);

    impl Handler<HostKernel> for Keeper {
        type Shard = Sender<Retained<HostKernel>>;

        fn shard(&self, _processor: u32, _passive: &Passive<'_>) -> Self::Shard {
            self.0.clone()
        }

        fn receive(&self, kept: &mut Self::Shard, batch: &mut Batch<'_, HostKernel>) {
            while let Some(datagram) = batch.next_datagram() {
                if let Ok(datagram) = datagram.retain() {
                    let _ = kept.send(datagram);
                }
            }
        }
    }

    /// Sends one datagram after the other, each in a block of its own, and takes what the handler keeps.
    struct Source {
        socket: UdpSocket,
        kept: Receiver<Retained<HostKernel>>,
        sent: u32,
    }

    impl Source {
        fn send(&mut self) -> Result<(), Box<dyn Error>> {
            self.socket.send(&self.sent.to_be_bytes())?;
            self.sent += 1;
            Ok(())
        }

        fn pass(&mut self) -> Result<Retained<HostKernel>, Box<dyn Error>> {
            self.send()?;
            Ok(self.kept.recv_timeout(PATIENCE)?)
        }
    }

    pub(super) fn run() -> Result<(), Box<dyn Error>> {
        let mut config = HostConfig::default().unverified();
        config.provider.transport = Transport::PacketRing(PacketRing { block_timeout: 1 });
        let kernel = HostKernel::new(config);
        let passive = Passive::acquire(&kernel).ok_or("above PASSIVE_LEVEL")?;
        let registration = Registration::register(kernel.clone(), Events::Static, &passive)?;
        let provider = registration.capture(PATIENCE, &passive)?;
        let (keep, kept) = channel();
        let retention = Retention { datagrams: 64, bytes: 1 << 20, ..Retention::default() };
        let config = Config { retention, ..Config::default() };
        let engine = Engine::open(kernel.clone(), Keeper(keep), &config, &passive)?;
        // The smallest ring: four blocks.
        let options = SocketOptions { receive_buffer: Some(1), ..SocketOptions::new("127.0.0.1:0".parse()?) };
        let listener = engine.open_socket(&provider, &options, &passive)?;
        let local = listener.local_address();
        let ring = kernel.receive_buffers(&local).into_iter().find(|range| range.len() > 1 << 20);
        let ring = ring.ok_or("the socket has no ring")?;
        let is_in_ring =
            |datagram: &Retained<HostKernel>| ring.contains(&datagram.payload().address().addr());
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(local)?;
        let mut source = Source { socket, kept, sent: 0 };

        // Two blocks are held: their datagrams are lent where the kernel put them.
        let mut held = vec![source.pass()?, source.pass()?];
        expect(held.iter().all(is_in_ring), "what is kept was copied")?;
        // Half of the ring is held: others are copied, so that they do not hold more.
        held.extend([source.pass()?, source.pass()?]);
        expect(!held[2..].iter().any(is_in_ring), "the ring fills with what is kept")?;
        // The ring has come round to what is held, and stops.
        for _ in 0..20 {
            source.send()?;
        }
        for (number, datagram) in (0u32..).zip(&held) {
            let mut bytes = [0; 4];
            datagram.payload().copy_to(&mut bytes);
            expect(bytes == number.to_be_bytes(), "what is kept has changed")?;
        }
        held.clear();
        // Some of them were in the block that the kernel was filling; the others are counted.
        let before = Instant::now();
        while u64::from(source.sent) != engine.stats().indicated + kernel.lost_below().unwrap_or_default() {
            expect(before.elapsed() < PATIENCE, "datagrams are not accounted for")?;
            while source.kept.try_recv().is_ok() {}
            std::thread::sleep(Duration::from_millis(1));
        }
        expect(kernel.packet_ring_losses().ring_full > 0, "a ring that is held was never full")?;
        // It goes on when the worker has seen that nothing is held any more, many times round.
        let before = Instant::now();
        loop {
            source.send()?;
            if source.kept.recv_timeout(Duration::from_millis(50)).is_ok() {
                break;
            }
            expect(before.elapsed() < PATIENCE, "the ring does not go on")?;
        }
        for _ in 0..50 {
            let datagram = source.pass()?;
            expect(is_in_ring(&datagram), "the ring is not used any more")?;
        }

        listener.close(PATIENCE, &passive)?;
        drop((engine, provider));
        registration.close(PATIENCE, &passive)?;
        expect(kernel.outstanding().is_empty(), "something is left behind")?;
        println!("kept, copied, lost and received again: {} datagrams", source.sent);
        Ok(())
    }

    fn expect(is_so: bool, otherwise: &str) -> Result<(), Box<dyn Error>> {
        if is_so { Ok(()) } else { Err(otherwise.into()) }
    }
}
