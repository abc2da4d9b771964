//! The filter as a program: the engine, its handler and their life are those of the driver in `image`, over Skua's own kernel and
//! WSK provider.
//!
//! `cargo run -p skua-forward --example forward -- --listen 127.0.0.1:5300 --to 127.0.0.1:5301`, then
//! `ncat -u -l 5301` in one terminal and `ncat -u 127.0.0.1 5300` in another. Ctrl-C ends it.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use skua_engine::{DropReason, Kernel};
use skua_forward::{Action, Forwarder, Rule, Settings, Side, run};
use skua_hosted::{HostConfig, HostKernel};

/// Forwards datagrams between two sockets, without copying them.
#[derive(Parser)]
struct Arguments {
    /// Where the outer socket listens.
    #[arg(long)]
    listen: SocketAddr,
    /// Where the inner socket is bound; its port 0 takes a free one.
    #[arg(long)]
    inner: Option<SocketAddr>,
    /// Where the outer socket's datagrams go that no --rule is about.
    #[arg(long)]
    to: Option<SocketAddr>,
    /// A rule, before the one that --to makes: `SIDE SOURCE drop` or `SIDE SOURCE forward ADDRESS:PORT`, where SIDE is outer or
    /// inner and SOURCE is any, an address, or a network. The first that fits decides.
    #[arg(long = "rule")]
    rules: Vec<Rule>,
    /// Datagrams under way at once.
    #[arg(long, default_value_t = 256)]
    under_way: u32,
    /// Ends after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { listen, inner, to, mut rules, under_way, seconds } = Arguments::parse();
    rules.extend(to.map(|to| Rule { side: Side::Outer, source: None, action: Action::Forward(to) }));
    let inner = inner.unwrap_or_else(|| match listen {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    });
    let settings = Settings { local: [listen, inner], rules: &rules, under_way };
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let told = interrupted()?;
    let wait = |longest: Duration| {
        let until = Instant::now() + longest;
        loop {
            let now = Instant::now();
            if told.load(Ordering::Relaxed) || end.is_some_and(|end| end <= now) {
                return true;
            }
            if now >= until {
                return false;
            }
            std::thread::sleep((until - now).min(Duration::from_millis(50)));
        }
    };
    let kernel = HostKernel::new(HostConfig::with_workers(2));
    Ok(run(&kernel, &[settings], wait, report)?)
}

/// One line for each forwarder.
fn report<K: Kernel>(forwarders: &[Forwarder<K>]) {
    for forwarder in forwarders {
        let [outer, inner] = forwarder.local();
        let stats = forwarder.stats();
        let dropped = |reason| stats.engine.dropped(reason);
        println!(
            "{outer} <> {inner}: indicated {}, forwarded {}, under way {}; dropped by rule {}, without a rule {}, over budget {}; not \
             sent {}",
            stats.engine.indicated,
            stats.forwarded,
            stats.engine.retained(),
            dropped(DropReason::Handler),
            dropped(DropReason::NotAllowed),
            dropped(DropReason::RetainBudget),
            stats.not_sent,
        );
    }
}

/// Becomes true when the user has had enough.
fn interrupted() -> Result<Arc<AtomicBool>, std::io::Error> {
    let told = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, told.clone())?;
    }
    Ok(told)
}
