//! The echo server as futures: one thread, one task for each client, and no allocation by the requests.
//!
//! `cargo run -p skua-hosted --example echo_futures -- 127.0.0.1:7007`, then `ncat 127.0.0.1 7007`.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use skua_engine::{
    ConnectionSocket, Connections, Controlled, Events, Family, NoHandler, Passive, Provider, Registration,
    RequestError, Requests, RequestsConfig, SocketBuilder,
};
use skua_hosted::{HostConfig, HostKernel};

const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let local = std::env::args().nth(1).unwrap_or("127.0.0.1:7007".into()).parse()?;
    let (ready, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || println!("listening on {}", address.recv().unwrap_or(local)));
    serve(local, usize::MAX, &ready)
}

/// Serves so many clients and leaves.
pub(crate) fn serve(
    local: SocketAddr,
    clients: usize,
    ready: &Sender<SocketAddr>,
) -> Result<(), Box<dyn Error>> {
    let kernel = HostKernel::new(HostConfig::with_workers(2));
    let passive = Passive::acquire(&kernel).ok_or("above PASSIVE_LEVEL")?;
    let registration = Registration::register(kernel.clone(), Events::Static, &passive)?;
    let provider = registration.capture(PATIENCE, &passive)?;
    let requests = Requests::open(&kernel, &RequestsConfig::default(), &passive)?;
    let connections = Connections::open(&provider, &requests, 16, &passive)?;
    run(&requests, &passive, accept(&provider, &connections, local, clients, ready))?;
    drop((connections, provider));
    registration.close(PATIENCE, &passive)?;
    Ok(())
}

/// A client's echo.
type Task = Pin<Box<dyn Future<Output = Result<(), RequestError>>>>;

/// Accepts clients and echoes to all of them at once.
async fn accept(
    provider: &Provider<HostKernel>,
    connections: &Connections<HostKernel, NoHandler>,
    local: SocketAddr,
    mut clients: usize,
    ready: &Sender<SocketAddr>,
) -> Result<(), RequestError> {
    let builder = SocketBuilder::new(Family::of(local));
    let listener = builder.listen(provider, connections, NoHandler, local).await?;
    let _nobody_asks = ready.send(listener.local_address().await?);
    let mut tasks: Vec<Task> = Vec::new();
    let mut next = listener.accept(NoHandler);
    std::future::poll_fn(|context| {
        while clients != 0
            && let Poll::Ready(client) = Pin::new(&mut next).poll(context)
        {
            tasks.push(Box::pin(echo(client?)));
            clients -= 1;
            next = listener.accept(NoHandler);
        }
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        if clients == 0 && tasks.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

async fn echo(client: ConnectionSocket<HostKernel, NoHandler>) -> Result<(), RequestError> {
    let mut buffer = client.requests().take().ok_or(RequestError::NoSlot)?;
    loop {
        let (heard, bytes) = client.receive(buffer).await?;
        if bytes == 0 {
            return client.disconnect().await;
        }
        (buffer, _) = client.send(heard).await?;
    }
}

struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The smallest executor: polls when it was woken, and else serves. Its wakers are not marked for DISPATCH_LEVEL, so
/// serving is what calls them.
fn run<T>(requests: &Requests<HostKernel>, passive: &Passive<'_>, future: impl Future<Output = T>) -> T {
    let bell = Arc::new(Bell(AtomicBool::new(false)));
    let waker = Waker::from(bell.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !bell.0.swap(false, Ordering::SeqCst) {
            requests.serve(Duration::from_secs(1), passive);
        }
    }
}
