//! The classic BPF program that lets datagrams to one port into a ring, before they are copied.
//!
//! It runs over frames of every kind of link: X is where the packet begins, which on Ethernet and loopback is known, and
//! elsewhere is relative to what the kernel found (that reaches linear memory alone, so it is not used where it need not be).

use std::io::Result;
use std::net::IpAddr;

use socket2::{SockFilter, SockRef};

use super::wire::Version;

/// Opcodes (linux/filter.h).
const LOAD_WORD: u16 = 0x40;
const LOAD_HALF: u16 = 0x48;
const LOAD_BYTE: u16 = 0x50;
const LOAD_WORD_AT: u16 = 0x20;
const LOAD_X: u16 = 0x01;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_ANY: u16 = 0x45;
const AND: u16 = 0x54;
const SHIFT_LEFT: u16 = 0x64;
const ADD: u16 = 0x04;
const ADD_X: u16 = 0x0c;
const TO_X: u16 = 0x07;
const RETURN: u16 = 0x06;

/// SKF_AD_OFF + SKF_AD_HATYPE: the kind of link.
const LINK_KIND: u32 = 0xffff_f000 + 28;
/// SKF_NET_OFF: loads from here on are relative to the packet.
const PACKET: u32 = 0xfff0_0000;
/// ARPHRD_ETHER and ARPHRD_LOOPBACK, whose headers have 14 bytes.
const ETHERNET: u32 = 1;
const LOOPBACK: u32 = 772;
const ETHERNET_BYTES: u32 = 14;

/// More than any frame.
const WHOLE: u32 = 0x4_0000;

/// Where a test leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum To {
    Next,
    Accept,
    Reject,
    /// The place that was marked with this number.
    Mark(usize),
}

/// Places that tests lead to.
const OTHER: usize = 0;
const FOUND: usize = 1;
const EXTENDED: usize = 2;
const OPTIONS: usize = 3;
const FRAGMENT: usize = 4;
const MARKS: usize = 5;

/// A program in the making.
#[derive(Default)]
struct Program {
    code: Vec<(u16, u32, [To; 2])>,
    marks: [usize; MARKS],
}

/// Lets packets of `version` to `port`, and to `local` unless that is unspecified, pass whole. What a program without
/// loops cannot decide passes too: packets of IPv6 with several extension headers.
pub(super) fn to_port(version: Version, local: IpAddr, port: u16) -> Vec<Instruction> {
    let mut program = Program::default();
    program.find_packet();
    match version {
        Version::V4 => program.v4(local, port),
        Version::V6 => program.v6(local, port),
    }
    program.finish()
}

/// Lets nothing pass.
pub(super) fn nothing() -> Vec<Instruction> {
    vec![Instruction { code: RETURN, yes: 0, no: 0, operand: 0 }]
}

/// Puts `program` before `socket`, in place of what was there.
pub(super) fn attach(socket: &SockRef<'_>, program: &[Instruction]) -> Result<()> {
    let program: Vec<SockFilter> =
        program.iter().map(|it| SockFilter::new(it.code, it.yes, it.no, it.operand)).collect();
    socket.attach_filter(&program)
}

/// `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    code: u16,
    /// How many instructions to skip when a test holds, and when it does not.
    yes: u8,
    no: u8,
    operand: u32,
}

impl Program {
    fn push(&mut self, code: u16, operand: u32) {
        self.code.push((code, operand, [To::Next; 2]));
    }

    fn test(&mut self, code: u16, operand: u32, yes: To, no: To) {
        self.code.push((code, operand, [yes, no]));
    }

    /// What follows is the place with this number.
    fn mark(&mut self, number: usize) {
        self.marks[number] = self.code.len();
    }

    /// X becomes where the packet begins.
    fn find_packet(&mut self) {
        self.push(LOAD_WORD_AT, LINK_KIND);
        self.test(JUMP_IF_EQUAL, ETHERNET, To::Next, To::Mark(OTHER));
        self.push(LOAD_X, ETHERNET_BYTES);
        self.test(JUMP, 0, To::Mark(FOUND), To::Next);
        self.mark(OTHER);
        self.push(LOAD_X, ETHERNET_BYTES);
        self.test(JUMP_IF_EQUAL, LOOPBACK, To::Mark(FOUND), To::Next);
        self.push(LOAD_X, PACKET);
        self.mark(FOUND);
    }

    fn v4(&mut self, local: IpAddr, port: u16) {
        self.push(LOAD_BYTE, 9);
        self.test(JUMP_IF_EQUAL, 17, To::Next, To::Reject);
        self.destination(16, local);
        self.push(LOAD_HALF, 6);
        self.test(JUMP_IF_ANY, 0x1fff, To::Reject, To::Next);
        self.push(LOAD_BYTE, 0);
        self.push(AND, 0xf);
        self.push(SHIFT_LEFT, 2);
        self.port_behind(0, port);
    }

    fn v6(&mut self, local: IpAddr, port: u16) {
        self.destination(24, local);
        self.push(LOAD_BYTE, 6);
        self.test(JUMP_IF_EQUAL, 17, To::Next, To::Mark(EXTENDED));
        self.push(LOAD_HALF, 40 + 2);
        self.test(JUMP_IF_EQUAL, u32::from(port), To::Accept, To::Reject);

        self.mark(EXTENDED);
        self.test(JUMP_IF_EQUAL, 44, To::Mark(FRAGMENT), To::Next);
        self.test(JUMP_IF_EQUAL, 51, To::Accept, To::Next);
        for options in [0, 43] {
            self.test(JUMP_IF_EQUAL, options, To::Mark(OPTIONS), To::Next);
        }
        self.test(JUMP_IF_EQUAL, 60, To::Next, To::Reject);

        self.mark(OPTIONS);
        self.push(LOAD_BYTE, 40);
        for another in [43, 44, 51, 60] {
            self.test(JUMP_IF_EQUAL, another, To::Accept, To::Next);
        }
        self.test(JUMP_IF_EQUAL, 17, To::Next, To::Reject);
        self.push(LOAD_BYTE, 41);
        self.push(ADD, 1);
        self.push(SHIFT_LEFT, 3);
        self.port_behind(40, port);

        self.mark(FRAGMENT);
        self.push(LOAD_HALF, 42);
        self.test(JUMP_IF_ANY, 0xfff8, To::Reject, To::Next);
        self.push(LOAD_BYTE, 40);
        self.test(JUMP_IF_EQUAL, 17, To::Next, To::Accept);
        self.push(LOAD_HALF, 48 + 2);
        self.test(JUMP_IF_EQUAL, u32::from(port), To::Accept, To::Reject);
    }

    /// Compares the destination at `at` with `local`, unless that is unspecified.
    fn destination(&mut self, at: u32, local: IpAddr) {
        if local.is_unspecified() {
            return;
        }
        let octets = match local {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let (words, _) = octets.as_chunks::<4>();
        for (at, word) in (at..).step_by(4).zip(words) {
            self.push(LOAD_WORD, at);
            self.test(JUMP_IF_EQUAL, u32::from_be_bytes(*word), To::Next, To::Reject);
        }
    }

    /// The port of a header that is A bytes and `base` behind the packet's begin decides.
    fn port_behind(&mut self, base: u32, port: u16) {
        self.push(ADD_X, 0);
        self.push(TO_X, 0);
        self.push(LOAD_HALF, base + 2);
        self.test(JUMP_IF_EQUAL, u32::from(port), To::Accept, To::Reject);
    }

    fn finish(mut self) -> Vec<Instruction> {
        let accept = self.code.len();
        self.push(RETURN, WHOLE);
        self.push(RETURN, 0);
        let marks = self.marks;
        let place = |from: usize, to: To| match to {
            To::Next => from + 1,
            To::Accept => accept,
            To::Reject => accept + 1,
            To::Mark(number) => marks[number],
        };
        let code = self.code.iter().enumerate();
        code.map(|(at, &(code, operand, [yes, no]))| {
            // No program here is longer than 255 instructions, and all jumps lead forward.
            let skip = |to| u8::try_from(place(at, to) - at - 1).unwrap_or(u8::MAX);
            if code == JUMP {
                return Instruction { code, yes: 0, no: 0, operand: u32::from(skip(yes)) };
            }
            Instruction { code, yes: skip(yes), no: skip(no), operand }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::super::wire::specimen::{self, Specimen};
    use super::*;

    /// Runs `program` over a frame with a link header of `kind`, as the kernel would.
    fn passes(program: &[Instruction], kind: u32, packet: &[u8]) -> bool {
        let link = if [ETHERNET, LOOPBACK].contains(&kind) { 14 } else { 4 };
        let frame = [vec![0xff; link], packet.to_vec()].concat();
        let load = |at: u32, bytes: usize| {
            let at = match at {
                LINK_KIND => return Some(kind),
                PACKET.. => link + (at - PACKET) as usize,
                at => at as usize,
            };
            let bytes = frame.get(at..at + bytes)?;
            Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
        };
        let (mut a, mut x, mut at) = (0u32, 0u32, 0);
        loop {
            let Instruction { code, yes, no, operand } = program[at];
            at += 1;
            let loaded = match code {
                LOAD_WORD => load(x.wrapping_add(operand), 4),
                LOAD_HALF => load(x.wrapping_add(operand), 2),
                LOAD_BYTE => load(x.wrapping_add(operand), 1),
                LOAD_WORD_AT => load(operand, 4),
                _ => Some(a),
            };
            // Beyond the packet the kernel ends the program with 0.
            let Some(loaded) = loaded else { return false };
            a = loaded;
            match code {
                LOAD_WORD | LOAD_HALF | LOAD_BYTE | LOAD_WORD_AT => {}
                LOAD_X => x = operand,
                JUMP => at += operand as usize,
                JUMP_IF_EQUAL => at += usize::from(if a == operand { yes } else { no }),
                JUMP_IF_ANY => at += usize::from(if a & operand != 0 { yes } else { no }),
                AND => a &= operand,
                SHIFT_LEFT => a <<= operand,
                ADD => a = a.wrapping_add(operand),
                ADD_X => a = a.wrapping_add(x),
                TO_X => x = a,
                RETURN => return operand != 0,
                other => panic!("{other:#x} is no instruction of ours"),
            }
        }
    }

    const PPP: u32 = 512;

    #[test]
    fn datagrams_to_the_port_pass_on_every_link() {
        for specimen in specimen::whole() {
            let (packet, version) = (specimen.packet(), specimen.version());
            for kind in [ETHERNET, LOOPBACK, PPP] {
                for (local, port, is_ours) in [
                    (Ipv4Addr::UNSPECIFIED.into(), specimen.port, true),
                    (specimen.destination, specimen.port, true),
                    (Ipv4Addr::UNSPECIFIED.into(), specimen.port ^ 1, false),
                    (specimen.source, specimen.port, false),
                ] {
                    let program = to_port(version, local, port);
                    // The receiver decides.
                    let is_left_open =
                        version == Version::V6 && specimen.extensions > 1 && local != specimen.source;
                    assert_eq!(
                        passes(&program, kind, &packet),
                        is_ours || is_left_open,
                        "{specimen:?} over {kind}, to {local} port {port}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_datagram_to_the_port_does_not_pass() {
        let v4 = to_port(Version::V4, Ipv4Addr::UNSPECIFIED.into(), 9);
        let v6 = to_port(Version::V6, Ipv6Addr::UNSPECIFIED.into(), 9);
        let good = Specimen { port: 9, ..specimen::v4() }.packet();
        for (at, value) in [(9, 6), (6, 0x01), (7, 0x01)] {
            let mut packet = good.clone();
            packet[at] = value;
            assert!(!passes(&v4, ETHERNET, &packet), "byte {at}");
        }
        assert!(!passes(&v4, ETHERNET, &good[..20]), "no header of UDP");
        let good = Specimen { port: 9, ..specimen::v6() }.packet();
        let mut packet = good.clone();
        packet[6] = 58;
        assert!(!passes(&v6, ETHERNET, &packet), "ICMP");
        let mut behind = Specimen { port: 9, fragment: Some((0, true)), ..specimen::v6() }.packet();
        assert!(passes(&v6, ETHERNET, &behind), "a first fragment is counted");
        behind[42] = 1;
        assert!(!passes(&v6, ETHERNET, &behind), "one fragment counts");
    }

    #[test]
    fn nothing_passes_when_the_intake_has_ended() {
        assert!(!passes(&nothing(), LOOPBACK, &specimen::v4().packet()));
    }
}
