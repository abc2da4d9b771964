//! What is asked of the engine besides handing datagrams on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::LazyLock;

use skua_engine::admission::{AdmissionConfig, Allow, Prefix, Rate};
use skua_engine::{Info, SocketOptions, Wanted};

/// One thing at a time, so that each shows as its own increment over [`Setting::Plain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Nothing.
    Plain,
    /// PKTINFO and TOS asked for, and there in each datagram.
    ControlMessages,
    /// An allow-list of four prefixes, of which the last has the senders.
    AllowList,
    /// A source table of 1024 rows, with the 32 senders in it.
    Sources,
    /// The same with a token bucket in each row, which never runs dry.
    SourceRate,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Plain, Self::ControlMessages, Self::AllowList, Self::Sources, Self::SourceRate];

    /// The name of its row.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::ControlMessages => "pktinfo-tos",
            Self::AllowList => "allow-list",
            Self::Sources => "sources",
            Self::SourceRate => "source-rate",
        }
    }

    pub(crate) fn socket(self) -> SocketOptions<'static> {
        let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let info = if self == Self::ControlMessages { Info::Required } else { Info::Off };
        let wanted = Wanted { packet_info: info, type_of_service: info, ..Wanted::default() };
        SocketOptions { wanted, ..SocketOptions::new(local) }
    }

    pub(crate) fn admission(self) -> AdmissionConfig<'static> {
        static PREFIXES: LazyLock<Vec<Prefix>> = LazyLock::new(|| {
            let prefix = |third| Prefix::new(IpAddr::V4(Ipv4Addr::new(10, 1, third, 0)), 24);
            [3, 2, 1, 0].into_iter().map(|third| prefix(third).expect("a network of 24 bits")).collect()
        });
        let none = AdmissionConfig::default();
        let rate = Some(Rate::new(NonZeroU32::MAX));
        match self {
            Self::Plain | Self::ControlMessages => none,
            Self::AllowList => AdmissionConfig { allow: Allow::Only(&PREFIXES), ..none },
            Self::Sources => AdmissionConfig { rows: 1024, ..none },
            Self::SourceRate => AdmissionConfig { rows: 1024, rate, ..none },
        }
    }
}
