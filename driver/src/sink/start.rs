//! Opening a sink as a request asks for it.

// UNSAFETY: rings' writers keep the address of the cell, sockets that of the process they belong to.
#![expect(unsafe_code, reason = "cell and process outlive every sink")]

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::ptr;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_SUCCESS,
};
use skua_engine::admission::{AdmissionConfig, Allow, Prefix};
use skua_engine::{
    Config, Engine, Info, ListenerFailure, ListenerState, Membership, MembershipError, Memberships, Owner,
    Passive, Provider, Sharing, Sink, SinkConfig, SinkError, SocketOptions, Wanted,
};
use skua_pools::{OutOfMemory, Slab};
use skua_protocol::{
    Group, Invalid, Listener as Place, ListenerFlags, MAX_GROUPS, SinkState, StartFlags, StartSink,
    StartStep, StartedSink,
};

use super::wake::ReaderWake;
use super::watch::Watch;
use super::{Listener, Listening, RingSink, RunningSink, TAG, change};
use crate::executive::Executive;
use crate::sections::Sections;
use crate::trace;
use crate::wait::WaitCell;

/// Why a sink did not start. Nothing of it is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{step:?} {detail}: {status}")]
pub(crate) struct StartFailure {
    /// What failed.
    pub(crate) step: StartStep,
    /// NT's word for it.
    pub(crate) status: NTSTATUS,
    /// Which one, or what was needed, as the step says.
    pub(crate) detail: u64,
}

impl StartFailure {
    /// As the program is told.
    pub(crate) fn report(&self) -> StartedSink {
        StartedSink { sink: 0, status: self.status.0, step: self.step as u32, detail: self.detail }
    }
}

impl<E: Executive> RunningSink<E> {
    /// Opens everything; datagrams are taken in from here on.
    ///
    /// # Errors
    /// [`StartFailure`] names the step.
    ///
    /// # Safety
    /// `cell` stays where it is for longer than the sink, and its registration, live.
    #[inline(never)]
    pub(crate) unsafe fn start(
        executive: &E,
        provider: &Provider<E>,
        request: &StartSink<'_>,
        (number, place, cell): (u64, usize, &WaitCell<E>),
        passive: &Passive<'_>,
    ) -> Result<Self, StartFailure> {
        // SAFETY: the caller's promise.
        let wake = unsafe { ReaderWake::new(cell, number) };
        let prefixes = change::prefixes(executive, request.prefixes(), request.header.prefixes)
            .map_err(|status| StartFailure { step: StartStep::Engine, status, detail: 0 })?;
        let config = engine_config(executive, request, &prefixes).map_err(|_| invalid(StartStep::Engine))?;
        let sections = Sections::new(executive.clone());
        let sink = open_rings(executive, &sections, wake, request)?;
        let engine = Engine::open(executive.clone(), sink, &config, passive)
            .map_err(|error| StartFailure { step: StartStep::Engine, status: error.status(), detail: 0 })?;
        let listeners = listeners(executive, request)?;
        let now = executive.ke_query_performance_counter();
        let mut running = Self {
            packed: None,
            listeners,
            engine,
            number,
            name: request.header.name,
            place,
            state: SinkState::Running,
            allow_listed: request.header.flags & StartFlags::ALLOW_LISTED != 0,
            prefixes: u32::from(request.header.prefixes),
            reader: None,
            sections: sections.id(),
            started: now,
            full_before: 0,
            watch: Watch::new(now),
        };
        running.poll(provider, now, passive);
        match running.refused(request) {
            None => {
                let rings = running.engine.handler().rings();
                let listeners = u32::from(request.header.listeners);
                trace::sink_started(number, listeners, rings, request.header.ring_bytes);
                Ok(running)
            }
            Some(failure) => {
                running.quiesce(cell, passive);
                Err(failure)
            }
        }
    }

    /// The first listener that is not what it should be, if the request insists on all of them.
    fn refused(&self, request: &StartSink<'_>) -> Option<StartFailure> {
        if request.header.flags & StartFlags::KEEP_TRYING != 0 {
            return None;
        }
        let refused = |(index, place): (usize, &Listening<E>)| {
            let stats = place.listener.stats(self.started);
            let failure = stats.failure.filter(|_| stats.state != ListenerState::Open { unjoined: 0 })?;
            let (step, detail) = match failure {
                ListenerFailure::Join(MembershipError::Refused { group, .. }) => {
                    (StartStep::Group, index_of(request, group).unwrap_or(index))
                }
                _ => (StartStep::Listener, index),
            };
            Some(StartFailure { step, status: failure.status(), detail: detail as u64 })
        };
        self.listeners.iter().enumerate().find_map(refused)
    }
}

/// Which of the request's groups this is.
fn index_of(request: &StartSink<'_>, wanted: IpAddr) -> Option<usize> {
    request.groups().position(|group| group.addresses().is_ok_and(|(group, _)| group == wanted))
}

#[inline(never)]
fn open_rings<E: Executive>(
    executive: &E,
    sections: &Sections<E>,
    wake: ReaderWake<E>,
    request: &StartSink<'_>,
) -> Result<RingSink<E>, StartFailure> {
    let header = &request.header;
    let config = SinkConfig {
        ring_bytes: usize::try_from(header.ring_bytes).unwrap_or(usize::MAX),
        // `StartSink::parse` has looked at it.
        snap_length: u16::try_from(header.snap_length).unwrap_or(u16::MAX),
        watermark: header.watermark,
        host_id: header.host_id,
        boot_id: header.boot_id,
    };
    let shards = executive.ke_query_maximum_processor_count();
    Sink::open(executive, sections, wake, config, shards).map_err(|error| {
        let refused = sections.failure();
        let status = if refused == STATUS_SUCCESS { error.status() } else { refused };
        let detail = match error {
            SinkError::RingTooSmall { needed, .. } => needed as u64,
            _ => 0,
        };
        StartFailure { step: StartStep::Rings, status, detail }
    })
}

fn engine_config<'p, E: Executive>(
    executive: &E,
    request: &StartSink<'_>,
    prefixes: &'p [Prefix],
) -> Result<Config<'p>, Invalid> {
    let header = &request.header;
    let limits = change::limits(&header.limits)?;
    let listed = header.flags & StartFlags::ALLOW_LISTED != 0;
    let admission = AdmissionConfig {
        allow: if listed { Allow::Only(prefixes) } else { Allow::Everyone },
        allow_capacity: header.allow_capacity,
        rate: limits.rate,
        other_rate: limits.other_rate,
        sample: limits.sample,
        rows: header.rows,
        fold_ipv6: header.flags & StartFlags::FOLD_IPV6 != 0,
        seed: seed(executive.unguessable_128()),
        ..AdmissionConfig::default()
    };
    Ok(Config { admission, ..Config::default() })
}

/// Half of some random bits.
fn seed(random: u128) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "one half of the bits is as good as the other")]
    let seed = random as u64;
    seed
}

fn listeners<E: Executive>(
    executive: &E,
    request: &StartSink<'_>,
) -> Result<Slab<Listening<E>, E>, StartFailure> {
    check_groups(request)?;
    // SAFETY: this is the control thread's process, the system's, which never ends; no thread impersonates.
    let owner = unsafe { Owner::new(executive.io_get_current_process(), ptr::null_mut()) };
    let mut places = request.listeners().enumerate();
    let count = usize::from(request.header.listeners);
    Slab::new(executive.clone(), TAG, count, |_| {
        // There are as many as were asked for.
        let (id, asked) = places.next().unwrap_or((count, Place::new(NOWHERE, 0)));
        listening(id, asked, owner, request)
    })
    .map_err(|_: OutOfMemory| no_memory(StartStep::Listener))
}

/// A listener as it is asked for, not opened yet. Its groups take 2.5 KB, which are not to be on the stack twice in one frame.
#[inline(never)]
fn listening<E: Executive>(
    id: usize,
    asked: Place,
    owner: Owner<'static>,
    request: &StartSink<'_>,
) -> Listening<E> {
    let options = options(id, &asked, request).unwrap_or_else(|| SocketOptions::new(NOWHERE));
    let options = SocketOptions { owner, ..options };
    let memberships = memberships(request, options.local.is_ipv4());
    Listening { asked, listener: Listener::new(options, memberships) }
}

/// Stands for a listener that there is none of: no port can be bound there.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::BROADCAST), 0);

/// Each group needs a listener of its family.
fn check_groups(request: &StartSink<'_>) -> Result<(), StartFailure> {
    let alone = |group: &Group| request.listeners().all(|listener| listener.family != group.family);
    match request.groups().position(|group| alone(&group)) {
        None => Ok(()),
        Some(index) => {
            Err(StartFailure { step: StartStep::Group, status: STATUS_NOT_FOUND, detail: index as u64 })
        }
    }
}

/// The groups of one family.
fn memberships(request: &StartSink<'_>, ipv4: bool) -> Memberships {
    let membership = |group: Group| {
        let (address, source) = group.addresses().ok()?;
        Some(Membership { group: address, interface: group.interface, source })
    };
    let groups = request.groups().filter_map(membership);
    groups.filter(|membership| membership.group.is_ipv4() == ipv4).take(MAX_GROUPS).collect()
}

/// How listener number `id` is opened; `None` for one that is not as [`StartSink::parse`] lets pass.
fn options(id: usize, place: &Place, request: &StartSink<'_>) -> Option<SocketOptions<'static>> {
    let local = place.socket_address().ok()?;
    let wanted = Wanted {
        packet_info: Info::Wanted,
        type_of_service: Info::Wanted,
        hop_limit: Info::Wanted,
        timestamp: Info::Wanted,
        coalesced: Info::Off,
    };
    let has = |flag| place.flags & flag != 0;
    let buffer = request.header.receive_buffer;
    Some(SocketOptions {
        only_v6: has(ListenerFlags::ONLY_V6),
        sharing: if has(ListenerFlags::SHARED) { Sharing::Reuse } else { Sharing::Exclusive },
        wanted,
        receive_buffer: (buffer != 0).then_some(buffer),
        id: u16::try_from(id).unwrap_or(u16::MAX),
        ..SocketOptions::new(local)
    })
}

fn no_memory(step: StartStep) -> StartFailure {
    StartFailure { step, status: STATUS_INSUFFICIENT_RESOURCES, detail: 0 }
}

fn invalid(step: StartStep) -> StartFailure {
    StartFailure { step, status: STATUS_INVALID_PARAMETER, detail: 0 }
}
