//! Datagrams as both ends saw them, and the comparison that every case rests on.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::{Result, bail};

/// One datagram: where from, where to, and every byte of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Datagram {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) payload: Vec<u8>,
}

/// Fails unless `found` holds each of `sent` once and nothing else, in any order.
pub(super) fn same(sent: &[Datagram], found: &[Datagram], place: &str) -> Result<()> {
    let strangers = strangers(sent, found);
    let missing = self::strangers(found, sent);
    if strangers.is_empty() && missing.is_empty() {
        return Ok(());
    }
    bail!(
        "{place}: {} sent, {} found; {} missing{}, {} never sent{}",
        sent.len(),
        found.len(),
        missing.len(),
        first(&missing),
        strangers.len(),
        first(&strangers),
    );
}

/// Fails unless each of `found` was sent, and none more often than it was.
pub(super) fn part(sent: &[Datagram], found: &[Datagram], place: &str) -> Result<()> {
    let strangers = strangers(sent, found);
    if strangers.is_empty() {
        return Ok(());
    }
    bail!("{place}: {} datagrams that were never sent{}", strangers.len(), first(&strangers));
}

/// Those of `found` that `sent` does not account for.
fn strangers<'a>(sent: &[Datagram], found: &'a [Datagram]) -> Vec<&'a Datagram> {
    let mut left: HashMap<&Datagram, usize> = HashMap::new();
    for datagram in sent {
        *left.entry(datagram).or_default() += 1;
    }
    found
        .iter()
        .filter(|datagram| match left.get_mut(datagram) {
            Some(count @ 1..) => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

fn first(datagrams: &[&Datagram]) -> String {
    datagrams.first().map_or_else(String::new, |Datagram { source, destination, payload }| {
        let start = &payload[..payload.len().min(16)];
        format!(" (the first: {source} to {destination}, {} bytes, {start:02x?}..)", payload.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(payload: &[u8]) -> Datagram {
        let [source, destination] = ["127.0.0.1:1", "127.0.0.1:2"].map(|address| address.parse().unwrap());
        Datagram { source, destination, payload: payload.to_vec() }
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|payload| datagram(payload));
        let sent = [a.clone(), a.clone(), b.clone()];
        same(&sent, &[b.clone(), a.clone(), a.clone()], "here").unwrap();
        let elsewhere = Datagram { source: b.destination, ..b.clone() };
        for found in [
            vec![a.clone(), b.clone()],
            vec![a.clone(), a.clone(), a.clone(), b.clone()],
            vec![a.clone(), b.clone(), b.clone()],
            vec![a.clone(), a.clone(), c.clone()],
            vec![a.clone(), a.clone(), elsewhere],
        ] {
            same(&sent, &found, "here").unwrap_err();
        }
        part(&sent, &[b.clone(), a.clone()], "here").unwrap();
        part(&sent, &[b.clone(), b], "here").unwrap_err();
        part(&sent, &[c], "here").unwrap_err();
    }
}
