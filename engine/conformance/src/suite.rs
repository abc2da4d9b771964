//! All checks, and what they need to know first.

use skua_engine::Kernel;
use skua_engine::abi::sockaddr::{IP_PKTINFO, IPPROTO_IP};
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::{WSK_FLAG_LISTEN_SOCKET, WSK_PROVIDER_NPI};

use crate::check::{Category, Check, Group};
use crate::checks::Groups;
use crate::client::datagram::DatagramSocket;
use crate::client::{Arguments, Bench, Client, LOCALHOST, LOCALHOST_V6, Surroundings};

/// All checks by category, in the order in which they run.
#[must_use]
pub const fn groups<K: Kernel>() -> &'static [Group<K>] {
    Groups::<K>::ALL
}

/// All checks, each with its category.
pub fn checks<K: Kernel>() -> impl Iterator<Item = (Category, &'static Check<K>)> {
    groups::<K>().iter().flat_map(|group| group.checks.iter().map(|check| (group.category, check)))
}

/// The checks that break a rule on purpose; each names the [finding](Check::finding) that it is to make.
#[cfg(feature = "misuse")]
#[must_use]
pub const fn misuse<K: Kernel>() -> &'static [Group<K>] {
    Groups::<K>::MISUSE
}

/// Finds out what this machine and provider have: what they have not makes checks not applicable.
///
/// # Safety
/// As of [`Check::run`].
///
/// # IRQL
/// PASSIVE_LEVEL.
// UNSAFETY: an unsafe function; its body only passes the NPI on.
#[expect(unsafe_code, reason = "the table behind an NPI is believed")]
pub unsafe fn survey<K: Kernel>(kernel: &K, npi: WSK_PROVIDER_NPI) -> Surroundings {
    let all = Surroundings { ipv6: true, tcp: true, control_messages: true, ..Surroundings::default() };
    let bench = Bench::new(kernel.clone(), all);
    let client = Client::of(&bench, npi);
    let ipv6 = DatagramSocket::bound(&client, LOCALHOST_V6).is_ok();
    let tcp = client.create(Arguments::tcp(LOCALHOST, WSK_FLAG_LISTEN_SOCKET));
    let tcp = tcp.is_ok_and(|created| created.done.status == STATUS_SUCCESS);
    let control_messages = DatagramSocket::bound(&client, LOCALHOST)
        .and_then(|socket| socket.set(IPPROTO_IP, IP_PKTINFO, 1))
        .is_ok_and(|status| status == STATUS_SUCCESS);
    Surroundings { ipv6, tcp, control_messages, ..Surroundings::default() }
}
