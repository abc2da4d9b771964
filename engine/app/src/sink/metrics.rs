//! The counters as Prometheus text, at `/metrics`.
//!
//! One thread answers one connection at a time. A request is at most 4 KiB and has 2 s; what a scraper does cannot
//! hold more than that of memory and time, and cannot reach the path of the datagrams.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::snapshot::{Pulse, Snapshot};

const MOST_REQUEST_BYTES: usize = 4096;
const MOST_REQUEST_TIME: Duration = Duration::from_secs(2);

/// What the scraper is told: renewed by whoever takes snapshots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exposed(Arc<Mutex<(Snapshot, Pulse)>>);

impl Exposed {
    /// Replaces what is told.
    pub(crate) fn set(&self, now: &Snapshot, pulse: &Pulse) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (now.clone(), pulse.clone());
    }
}

/// Serves `exposed` at `address` until the process ends. Returns the address with its real port.
///
/// # Errors
/// The system's, when the address cannot be had.
pub(crate) fn serve(address: SocketAddr, exposed: Exposed) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let mut registry = Registry::with_prefix("skua");
    registry.register_collector(Box::new(exposed));
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        for connection in listener.incoming() {
            match connection {
                // A scraper that went away has nothing to be told.
                Ok(mut connection) => drop(answer(&mut connection, &registry)),
                // Out of descriptors, for one: give whoever holds them time to close some.
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    })?;
    Ok(address)
}

impl Collector for Exposed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (now, pulse) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, help, count) in [
            ("datagrams_indicated", "Datagrams the provider lent", now.indicated),
            ("datagrams_delivered", "Datagrams the sink accepted", now.delivered),
            ("datagrams_published", "Records put into the rings", now.published),
            ("datagrams_read", "Records taken out of the rings", now.read),
            ("datagrams_written", "Datagrams that reached every output", now.written),
            ("delivered_bytes", "Payload bytes of delivered datagrams", now.bytes),
            ("datagrams_without_row", "Datagrams of sources beyond the source table", now.other),
        ] {
            counter(&mut encoder, name, help, count)?;
        }
        let mut family = encoder.encode_descriptor(
            "datagrams_dropped",
            "Datagrams refused, by reason",
            None,
            ConstCounter::new(0_u64).metric_type(),
        )?;
        for (reason, count) in now.by_reason() {
            ConstCounter::new(count).encode(family.encode_family(&[("reason", reason.key())])?)?;
        }
        if let Some(count) = now.lost_below {
            counter(&mut encoder, "datagrams_lost_below", "Datagrams the stack below dropped", count)?;
        }
        gauge(&mut encoder, "sources", "Sources with a row of their own", now.sources as f64)?;
        for (name, help, budget) in [
            ("stall_budget_seconds", "How long the reader may sleep at the present rate", pulse.stall_budget),
            ("stall_budget_least_seconds", "The least stall budget so far", pulse.least_stall_budget),
        ] {
            if let Some(budget) = budget {
                gauge(&mut encoder, name, help, budget.as_secs_f64())?;
            }
        }
        for (name, help, of) in [
            (
                "ring_capacity_bytes",
                "Bytes a ring holds",
                (|ring| ring.capacity) as fn(&crate::snapshot::RingFill) -> u64,
            ),
            ("ring_peak_bytes", "The most bytes in use in the last second", |ring| ring.peak),
        ] {
            let mut family =
                encoder.encode_descriptor(name, help, None, ConstGauge::new(0_i64).metric_type())?;
            for (shard, ring) in now.rings.iter().enumerate() {
                let bytes = i64::try_from(of(ring)).unwrap_or(i64::MAX);
                ConstGauge::new(bytes).encode(family.encode_family(&[("shard", shard.to_string())])?)?;
            }
        }
        Ok(())
    }
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    count: u64,
) -> Result<(), std::fmt::Error> {
    let counter = ConstCounter::new(count);
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: f64,
) -> Result<(), std::fmt::Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn answer(connection: &mut TcpStream, registry: &Registry) -> io::Result<()> {
    connection.set_write_timeout(Some(MOST_REQUEST_TIME))?;
    let (status, content_type, body) = match request_line(connection)?.split(' ').collect::<Vec<_>>()[..] {
        ["GET", "/metrics", _] => {
            let mut body = String::new();
            prometheus_client::encoding::text::encode(&mut body, registry).map_err(io::Error::other)?;
            ("200 OK", "application/openmetrics-text; version=1.0.0; charset=utf-8", body)
        }
        ["GET", ..] => ("404 Not Found", "text/plain", "the counters are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "text/plain", "GET /metrics\n".to_owned()),
    };
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Reads a request up to the empty line after its headers, and returns its first line.
fn request_line(connection: &mut TcpStream) -> io::Result<String> {
    let until = Instant::now() + MOST_REQUEST_TIME;
    let mut request = Vec::with_capacity(MOST_REQUEST_BYTES);
    let mut part = [0; 512];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() || request.len() > MOST_REQUEST_BYTES {
            return Err(ErrorKind::InvalidInput.into());
        }
        connection.set_read_timeout(Some(rest))?;
        match connection.read(&mut part)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            bytes => request.extend_from_slice(&part[..bytes]),
        }
    }
    let line = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(address: SocketAddr, request: &[u8]) -> String {
        let mut connection = TcpStream::connect(address).unwrap();
        // The server may refuse before it has read everything.
        let _ = connection.write_all(request);
        let mut answer = String::new();
        let _ = connection.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn counters_are_served_as_text() {
        let exposed = Exposed::default();
        let mut now = Snapshot { indicated: 7, lost_below: Some(0), ..Snapshot::default() };
        now.rings = vec![Default::default()];
        now.drops[6] = 2;
        exposed.set(&now, &Pulse::default());
        let address = serve("127.0.0.1:0".parse().unwrap(), exposed).unwrap();
        let text = get(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        for line in [
            "# TYPE skua_datagrams_indicated counter",
            "skua_datagrams_indicated_total 7",
            "skua_datagrams_dropped_total{reason=\"ring_full\"} 2",
            "skua_datagrams_dropped_total{reason=\"closing\"} 0",
            "skua_datagrams_lost_below_total 0",
            "skua_ring_peak_bytes{shard=\"0\"} 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn other_requests_are_answered_or_cut_off() {
        let address = serve("127.0.0.1:0".parse().unwrap(), Exposed::default()).unwrap();
        assert!(get(address, b"GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(get(address, b"POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert_eq!(get(address, &[b'x'; 10_000]), "");
        assert!(get(address, b"GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
    }
}
