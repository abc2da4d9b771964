//! Features of a network interface, as `ethtool -K` sets them.

// UNSAFETY: SIOCETHTOOL takes the address of a command.
#![expect(unsafe_code, reason = "ioctls take pointers")]

use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, ensure};

/// `ETHTOOL_GSTRINGS` (linux/ethtool.h).
const GSTRINGS: u32 = 0x1b;
/// `ETHTOOL_GSSET_INFO`.
const GSSET_INFO: u32 = 0x37;
/// `ETHTOOL_SFEATURES`.
const SFEATURES: u32 = 0x3b;
/// `ETH_SS_FEATURES`: the set of strings that name features.
const FEATURES: u32 = 4;
/// `ETH_GSTRING_LEN`.
const STRING: usize = 32;
/// `ETHTOOL_F_UNSUPPORTED`, of what SFEATURES answers.
const UNSUPPORTED: i32 = 1;

/// Switches features of interface `name` of the calling thread's network namespace on or off.
///
/// # Errors
/// The kernel does not know a feature, or does not let this process or this interface change it.
pub(super) fn set_features(name: &str, features: &[(&str, bool)]) -> Result<()> {
    let link = Link::open(name)?;
    let names = link.feature_names()?;
    // Per 32 features, which of them are to change and to what.
    let mut command = vec![SFEATURES, u32::try_from(names.len().div_ceil(32))?];
    command.resize(2 + 2 * names.len().div_ceil(32), 0);
    for (feature, on) in features {
        let index = names.iter().position(|known| known == feature);
        let index = index.with_context(|| format!("this kernel has no {feature}"))?;
        let (block, bit) = (2 + 2 * (index / 32), 1 << (index % 32));
        command[block] |= bit;
        command[block + 1] |= if *on { bit } else { 0 };
    }
    let answer = link.call(&mut command).with_context(|| format!("cannot change features of {name}"))?;
    ensure!(answer & UNSUPPORTED == 0, "{name} cannot change one of {features:?}");
    Ok(())
}

/// An interface.
struct Link {
    socket: UdpSocket,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Link {
    fn open(name: &str) -> Result<Self> {
        ensure!(name.len() < libc::IFNAMSIZ, "{name} is too long for an interface's name");
        let mut letters = [0; libc::IFNAMSIZ];
        for (letter, byte) in letters.iter_mut().zip(name.bytes()) {
            *letter = byte.cast_signed();
        }
        Ok(Self { socket: UdpSocket::bind("127.0.0.1:0")?, name: letters })
    }

    fn feature_names(&self) -> Result<Vec<String>> {
        // The command, a reserved word, the sets asked for as 64 bits, and room for one length.
        let mut info = [GSSET_INFO, 0, 1 << FEATURES, 0, 0];
        self.call(&mut info).context("cannot count the features of an interface")?;
        let count = usize::try_from(info[4])?;
        let mut strings = vec![GSTRINGS, FEATURES, info[4]];
        strings.resize(3 + count * STRING / 4, 0);
        self.call(&mut strings).context("cannot name the features of an interface")?;
        let bytes: Vec<u8> = strings[3..].iter().flat_map(|word| word.to_ne_bytes()).collect();
        let text = |name: &[u8]| {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            String::from_utf8_lossy(&name[..end]).into_owned()
        };
        Ok(bytes.chunks_exact(STRING).map(text).collect())
    }

    /// Has the kernel carry out a command, which it writes its answer into.
    fn call(&self, command: &mut [u32]) -> std::io::Result<i32> {
        let data = command.as_mut_ptr().cast();
        let mut request =
            libc::ifreq { ifr_name: self.name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: data } };
        // SAFETY: the request names a command that is as long as it says itself.
        let answer = unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
        if answer < 0 { Err(std::io::Error::last_os_error()) } else { Ok(answer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_the_loopback_interface_have_names() {
        let names = Link::open("lo").unwrap().feature_names().unwrap();
        assert!(names.iter().any(|name| name == "tx-udp-segmentation"), "{names:?}");
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert!(set_features("skua-none", &[("rx-gro", true)]).is_err());
    }
}
